/* Two threads hand the turn to each other through two pipes, with blocking reads and writes of one byte.
 * Argument: rounds. Prints nanoseconds a round (a round is there and back: two hand-overs). */
#include "byte_ping_pong.h"

int main(int argc, char **argv)
{
    long rounds = number_argument(argc, argv, 1, "rounds");
    int there[2], back[2];
    check(pipe(there) < 0 ? errno : 0, "pipe", 0);
    check(pipe(back) < 0 ? errno : 0, "pipe", 1);
    printf("%.1f\n", nanoseconds_a_round(rounds, (struct end){back[0], there[1]}, (struct end){there[0], back[1]}));
    return 0;
}
