# gcc -j2 of a project of a hundred files, a library, a shared one, and make again.
mkdir -p /tmp/c && cd /tmp/c; for i in $(seq 100); do printf '#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\nint f%d(int x) { char b[64]; snprintf(b, sizeof b, "%%d", x); return atoi(b) + %d; }\n' $i $i > f$i.c; done
(seq -f 'int f%.0f(int);' 100; echo 'int printf(const char *, ...); int main(void) { int n = 0;'; seq -f 'n += f%.0f(1);' 100; echo 'printf("%d\n", n); return 0; }') > main.c
printf 'O = $(patsubst %%.c,%%.o,$(wildcard f*.c))\nprog: main.o libf.a libs.so\n\t$(CC) -o $@ main.o libf.a\nlibf.a: $O\n\tar rcs $@ $^\nlibs.so: $O\n\t$(CC) -shared -o $@ $^\n%%.o: %%.c\n\t$(CC) -O2 -fPIC -g -c $< -o $@\n' > Makefile
make -s -j2 && ./prog; make -j2 | tail -1; touch f5.c; make -j2 | wc -l; nm libs.so | grep -c ' T f'; readelf -h prog | grep Type
