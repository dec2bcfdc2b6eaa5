# rsync: a tree with links, modes, times, sparse files; changes; deletion; a daemon.
# needs: /usr/bin/rsync
cd /tmp; mkdir -p a/d/e; for i in $(seq 300); do echo $i > a/d/f$i; done; ln a/d/f1 a/hard; ln -s d/f2 a/soft; mkfifo a/fifo; truncate -s 5M a/sparse; echo x >> a/sparse; chmod 640 a/d/f3; touch -d 2001-02-03 a/d/f4; cp -a /usr/share/perl5 a/p
rsync -aHS a/ b/ && diff -r --no-dereference a/d b/d && diff -r a/p b/p && echo same; stat -c '%a %h %F' b/d/f3 b/hard b/soft b/fifo; stat -c %y b/d/f4 | cut -c1-10; [ $(stat -c %b b/sparse) -lt 100 ] && echo sparse
echo new > a/d/f5; rm a/d/f6; rsync -aHS --delete -i a/ b/ | sort; rsync -aHS --delete -i a/ b/ | wc -l; rsync -a --checksum --inplace a/ b/; rsync -a --link-dest=/tmp/b a/ c/; [ b/d/f7 -ef c/d/f7 ] && echo linked
printf 'use chroot = yes\nuid = nobody\n[m]\npath = /tmp/a\n' > r.conf; chmod -R a+rX a; rsync --daemon --config r.conf --port 8730 --address 127.0.0.1; sleep 0.5; rsync -a rsync://127.0.0.1:8730/m/d/ e/; ls e | wc -l; rsync rsync://127.0.0.1:8730/ ; pkill rsync
