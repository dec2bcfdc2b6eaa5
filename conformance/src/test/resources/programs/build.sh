cd /tmp; mkdir b; cd b
for i in 1 2 3 4 5 6; do printf '#include "all.h"\nint f%d(int x) { return x * %d; }\n' $i $i > f$i.c; echo "int f$i(int);" >> all.h; done
cat > main.c <<'C'
#include "all.h"
#include <stdio.h>
#include <pthread.h>
static void *t(void *a) { return (void *)(long)f6((int)(long)a); }
int main(void) { pthread_t p; void *r; pthread_create(&p, 0, t, (void *)7L); pthread_join(p, &r); printf("%d %ld\n", f1(1) + f2(2) + f3(3) + f4(4) + f5(5), (long)r); return 0; }
C
printf 'OBJS=main.o f1.o f2.o f3.o f4.o f5.o f6.o\nall: prog libx.so libx.a\nprog: $(OBJS)\n\t$(CC) -pthread -o $@ $^\nlibx.so: f1.c f2.c\n\t$(CC) -shared -fPIC -o $@ $^\nlibx.a: f1.o f2.o\n\tar rcs $@ $^\n%%.o: %%.c all.h\n\t$(CC) -O2 -c -o $@ $<\nclean:\n\trm -f *.o prog lib*\n' > Makefile
make -s -j4 CC=gcc 2>&1; ./prog; ls; make -s CC=gcc; touch f3.c; make CC=gcc 2>&1; nm libx.a | grep -c ' T '; gcc -static -pthread -o st *.o && ./st; strip prog && ./prog; objdump -f prog | grep format; echo 'int main(){return 1/0;}' | gcc -w -xc - -o dz; bash -c './dz; echo $?' 2>/dev/null; gcc -c nothing.c 2>&1; make clean; ls
if [ -d /extra/lua ]; then cp -r /extra/lua /tmp/lua && cd /tmp/lua && make -s -j2 linux-noreadline 2>&1 | tail -3; ./src/lua -e 'print(_VERSION, 2^10)' 2>&1 || find . -name lua -type f -perm -1 -exec {} -e 'print(_VERSION)' \;; fi
