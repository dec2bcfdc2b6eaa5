# Projects in C from Debian's source packages (with Debian's patches where there is patch(1)): zlib (configure, make, its tests) and lua.
# needs: /usr/bin/gcc /usr/bin/python3
cd /tmp
for p in zlib lua5.4; do ls /extra/sources/${p}_*.orig.tar.* >/dev/null 2>&1 || { echo "no source of $p"; exit; }; done
# Python knows bzip2 where the root file system has no program for it.
unpack() { mkdir $1 && cd $1 && python3 -m tarfile -e $(ls /extra/sources/$1_*.orig.tar.*) . && mv ./*/* . && python3 -m tarfile -e $(ls /extra/sources/$1_*.debian.tar.*) . || exit
  ! command -v patch >/dev/null || for f in $(grep -v '^#' debian/patches/series); do patch -s -p1 < debian/patches/$f || echo "$f failed"; done; }
(unpack zlib; ./configure | tail -3; make -s -j2 2>&1 | grep -ci error; make test 2>&1 | grep 'test OK'; ls libz.a libz.so.*; seq 100000 | ./minigzip | ./minigzip -d | md5sum; make -s distclean; ls *.o 2>&1)
# Debian builds lua with libtool; its own makefile does here.
(mkdir lua && tar -xf /extra/sources/lua5.4_*.orig.tar.* -C lua --strip-components=1 && cd lua; make -s -j2 linux 2>&1 | tail -3; cd src; ls lua luac liblua.a
 printf 'local t = {}\nfor i = 1, 100000 do t[i] = (i * 7919) %% 100003 end\ntable.sort(t)\nprint(_VERSION, t[1], t[#t], string.format("%%q", "a\\nb"), 2^53, #t)\nprint(pcall(error, "caught"))\nlocal f = io.popen("echo from a pipe")\nprint(f:read("a"))\n' > t.lua
 ./lua t.lua; ./luac -o t.out t.lua; ./lua t.out | md5sum; make -s clean; ls *.o 2>&1)
