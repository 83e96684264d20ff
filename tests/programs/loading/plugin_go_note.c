/* A library that bears the note by which Go's are recognised (.note.go.buildid), and is none. */
#include <stdint.h>

static const struct {
    uint32_t name_length, length, type;
    char name[4], identity[4];
} note __attribute__((used, section(".note.go.buildid"), aligned(4))) = {4, 4, 4, "Go\0", "abc"};

int answer(void)
{
    return 42;
}
