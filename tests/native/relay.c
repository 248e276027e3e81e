/* The runner over many files in one process: what it says to each, behind a line with the file's number. */
#define main run_one
#include "runner.c"
#undef main

int main(int count, char **paths)
{
    for (int i = 1; i < count; i++) {
        printf("file %d\n", i - 1);
        (void)fflush(stdout); /* so much is sure, whatever becomes of the next one */
        (void)run_one(2, (char *[]){paths[0], paths[i], NULL});
    }
    return EXIT_SUCCESS;
}
