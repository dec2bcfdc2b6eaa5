# gdb and strace: breakpoints, steps, threads, attach; system calls of a program and its children.
# needs: /usr/bin/gdb
# needs: /usr/bin/strace
cd /tmp; cat > t.c <<'C'
#include <pthread.h>
#include <stdio.h>
int shared; int add(int a, int b) { int c = a + b; return c; }
void *work(void *x) { shared = add(shared, *(int *)x); return 0; }
int main(void) { pthread_t t; int n = 5; for (int i = 0; i < 3; i++) { pthread_create(&t, 0, work, &n); pthread_join(t, 0); } printf("%d\n", shared); return shared; }
C
gcc -g -O0 -pthread -o t t.c
gdb -nx -batch -ex 'break add' -ex run -ex 'bt 2' -ex next -ex 'print c' -ex 'watch shared' -ex 'delete 1' -ex continue -ex 'delete' -ex continue ./t 2>&1 | grep -o '^#[01] .*t.c:[0-9]*\|^\$1 = .*\|^New value = .*\|exited with code.*\|ptrace.*' | sed 's/0x[0-9a-f]* in //; s/x=0x[0-9a-f]*/x=P/'
sleep 100 & p=$!; sleep 0.2; gdb -nx -batch -p $p -ex 'info registers rip' -ex detach 2>&1 | grep -c '^rip'; kill $p
strace -f -e trace=execve,clone,wait4,exit_group -o st sh -c '/bin/true; exit 3'; echo $?; grep -c 'execve(.*= 0' st; grep -o 'exited with [0-9]*' st | sort; strace -c -o sc ls / >/dev/null; tail -1 sc | awk '{print $NF}'; strace -e trace=openat cat /nonexistent 2>&1 | grep -c ENOENT
