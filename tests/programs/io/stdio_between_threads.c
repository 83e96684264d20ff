/*
 * stdio on pipes: getline, fgets, getc and fscanf wait in one thread and hold that stream's lock alone; fprintf and
 * fwrite wait for a slow reader; popen, its reads and pclose stop nobody else; two readers of one stream share its
 * lines.
 */
#include "waiting.h"

enum { LINES = 2000 };
static FILE *in, *out;

static void open_streams(int mode)
{
    int ends[2];
    make_pipe(ends);
    in = fdopen(ends[0], "r");
    out = fdopen(ends[1], "w");
    setvbuf(out, NULL, mode, BUFSIZ);
}

static long gets_line(void *text)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t length = getline(&line, &room, in);
    if (length > 0)
        strcpy(text, line);
    free(line);
    return length;
}

static long fgets_line(void *text)
{
    return fgets(text, 100, in) ? (long)strlen(text) : -1;
}

static long scans(void *text)
{
    return fscanf(in, "%99s", (char *)text);
}

static long gets_letter(void *text)
{
    int letter = getc(in);
    *(char *)text = letter;
    return letter;
}

static void try(const char *name, long (*call)(void *), const char *line, long expected)
{
    char text[100] = "";
    struct waiter waiter;
    begin(&waiter, call, text);
    still_waits(&waiter);
    for (const char *letter = line; *letter; letter++) {
        CHECK(fputc(*letter, out) == *letter && fflush(out) == 0, "fputc");
        if (letter == line + 1)
            others_go_on();
    }
    ENDS_WITH(expected, &waiter);
    printf("%s: %s\n", name, strtok(text, "\n"));
}

static void *writes_lines(void *argument)
{
    for (int n = 0; n < LINES; n++)
        CHECK(fprintf(out, "line %d of %d\n", n, LINES) > 0, "fprintf");
    static char block[300000];
    memset(block, 'x', sizeof block);
    COUNT(sizeof block, fwrite(block, 1, sizeof block, out));
    CHECK(fclose(out) == 0, "fclose");
    return argument;
}

static void *counts_lines(void *argument)
{
    char line[100];
    long count = 0;
    while (fgets(line, sizeof line, in)) {
        int number, of;
        CHECK(sscanf(line, "line %d of %d", &number, &of) == 2 && of == LINES, "torn: %s", line);
        count++;
    }
    return AS_POINTER(count);
}

static void *writes_only_lines(void *argument)
{
    for (int n = 0; n < LINES; n++) {
        CHECK(fprintf(out, "line %d of %d\n", n, LINES) > 0, "fprintf");
        if (n % 500 == 0)
            others_go_on();
    }
    CHECK(fclose(out) == 0, "fclose");
    return argument;
}

static long runs_command(void *argument)
{
    (void)argument;
    char line[100];
    FILE *command = popen("sleep 0.05; echo out of the shell; sleep 0.05; exit 3", "r");
    CHECK(command, "popen");
    CHECK(fgets(line, sizeof line, command), "fgets");
    CHECK(strcmp(line, "out of the shell\n") == 0, "%s", line);
    CHECK(!fgets(line, sizeof line, command), "more: %s", line);
    return pclose(command) >> 8;
}

int main(void)
{
    start_ticker();
    open_streams(_IOFBF);
    try("getline", gets_line, "a line\n", 7);
    try("fgets", fgets_line, "another\n", 8);
    try("fscanf", scans, "word\n", 1);
    CHECK(getc(in) == '\n', "what fscanf left");
    try("getc", gets_letter, "g", 'g');

    char text[100] = "";
    struct waiter waiter;
    begin(&waiter, gets_line, text);
    still_waits(&waiter);
    CHECK(ftrylockfile(in) != 0, "the waiting reader does not hold the lock");
    CHECK(ftrylockfile(out) == 0, "the writer's lock is held");
    funlockfile(out);
    fclose(out);
    ENDS_WITH(-1, &waiter);
    CHECK(feof(in) && !ferror(in), "no end");
    fclose(in);
    puts("the end");

    open_streams(_IOFBF);
    pthread_t thread = start(writes_lines, NULL);
    for (int n = 0; n < LINES; n++) {
        int number;
        if (n % 500 == 0)
            others_go_on();
        CHECK(fscanf(in, "line %d of 2000\n", &number) == 1 && number == n, "line %d", n);
    }
    long count = 0;
    while (getc(in) == 'x')
        count++;
    join(thread);
    fclose(in);
    printf("%ld bytes behind %d lines\n", count, LINES);

    open_streams(_IOLBF);
    pthread_t readers[4];
    for (int n = 0; n < 4; n++)
        readers[n] = start(counts_lines, NULL);
    thread = start(writes_only_lines, NULL);
    count = 0;
    for (int n = 0; n < 4; n++)
        count += AS_INTEGER(join(readers[n]));
    join(thread);
    fclose(in);
    printf("four readers shared %ld lines\n", count);

    struct waiter commands[5];
    for (int n = 0; n < 5; n++)
        begin(&commands[n], runs_command, NULL);
    others_go_on();
    CHECK(runs_command(NULL) == 3, "main's command");
    for (int n = 0; n < 5; n++)
        ENDS_WITH(3, &commands[n]);
    puts("six commands");
    return 0;
}
