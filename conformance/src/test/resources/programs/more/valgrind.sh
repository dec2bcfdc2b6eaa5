# valgrind: memcheck and helgrind find the faults of small programs.
# needs: /usr/bin/valgrind
# limit: 240
cd /tmp; printf '#include <stdlib.h>\nint main(void) { char *p = malloc(10); p[10] = 1; p = malloc(5); return p[2] == 3; }\n' > a.c
printf '#include <pthread.h>\nint n; void *f(void *a) { for (int i = 0; i < 100; i++) n++; return 0; }\nint main(void) { pthread_t t, u; pthread_create(&t, 0, f, 0); pthread_create(&u, 0, f, 0); pthread_join(t, 0); pthread_join(u, 0); }\n' > b.c
gcc -g -o a a.c; gcc -g -pthread -o b b.c; valgrind --leak-check=full ./a 2>&1 | sed 's/==[0-9]*== //' | grep 'Invalid write\|definitely lost:\|ERROR SUMMARY'; valgrind --tool=helgrind ./b 2>&1 | grep -c 'Possible data race' | sed 's/[1-9][0-9]*/some/'; valgrind -q true; echo $?
