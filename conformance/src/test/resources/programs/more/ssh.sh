# sshd and ssh on the loopback: a command, a terminal, sftp, port forwarding, agent, multiplexing.
# needs: /usr/sbin/sshd
cd /tmp; mkdir -p /run/sshd ~/.ssh; chmod 700 ~/.ssh; ssh-keygen -q -t ed25519 -N '' -f k; ssh-keygen -q -t ed25519 -N '' -f h; cp k.pub ~/.ssh/authorized_keys
cat > sd.conf <<'C'
Port 2222
ListenAddress 127.0.0.1
HostKey /tmp/h
PidFile /tmp/sd.pid
UsePAM no
PermitRootLogin yes
StrictModes no
Subsystem sftp /usr/lib/openssh/sftp-server
C
/usr/sbin/sshd -f sd.conf -E sd.log; echo started $?; o='-p 2222 -i /tmp/k -o StrictHostKeyChecking=no -o UserKnownHostsFile=/tmp/kh -o LogLevel=ERROR'
ssh $o root@127.0.0.1 'echo remote; id -un; exit 5'; echo $?; head -c 2000000 /dev/zero | ssh $o root@127.0.0.1 'md5sum; tty'
ssh -tt $o root@127.0.0.1 'tty | sed s/[0-9]*$//; stty size; echo $TERM' </dev/null 2>/dev/null | tr -d '\r'
echo data > up; sftp -q -P 2222 ${o#-p 2222} -b - root@127.0.0.1 <<<'put /tmp/up /tmp/up2
ls -1 /tmp/up2' | grep -v '^sftp>'; cat up2
(cd /tmp; exec python3 -m http.server -b 127.0.0.1 9100 >/dev/null 2>&1) & sleep 1; ssh $o -f -N -L 9101:127.0.0.1:9100 -o ExitOnForwardFailure=yes root@127.0.0.1; curl -s http://127.0.0.1:9101/up; kill %1
eval $(ssh-agent) >/dev/null; ssh-add -q k; ssh-add -l | wc -l; ssh -M -S /tmp/ctl -f -N $o root@127.0.0.1; for i in 1 2 3; do ssh -S /tmp/ctl $o root@127.0.0.1 echo mux $i; done; ssh -S /tmp/ctl -O exit $o root@127.0.0.1 2>&1 | tr -d '\r'; ssh-agent -k >/dev/null
rsync -a -e "ssh $o" /usr/share/perl5/ root@127.0.0.1:/tmp/copy/ && diff -r /usr/share/perl5 /tmp/copy && echo same
useradd -m joe; mkdir -p ~joe/.ssh; cp k.pub ~joe/.ssh/authorized_keys; chown -R joe ~joe/.ssh; ssh $o joe@127.0.0.1 'id -un; pwd'; kill $(cat sd.pid); grep -ci 'fatal\|error:' sd.log
