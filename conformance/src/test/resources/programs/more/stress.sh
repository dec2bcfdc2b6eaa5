# stress-ng: one stressor of each kind, for a moment each.
# needs: /usr/bin/stress-ng
# limit: 400
cd /tmp; for s in cpu fork clone pthread pipe futex mutex sem sigfd sigsuspend signal switch yield timer timerfd clock nanosleep poll epoll eventfd mmap mremap brk stack malloc vm madvise mincore bigheap memcpy shm shm-sysv sem-sysv msg mq sock sockpair udp dir dentry hdd iomix link symlink rename fcntl flock lockf lockofd getdent chmod chown utime seek sendfile splice tee vmsplice zero null urandom get getrandom kill sigq vfork exec daemon zombie wait itimer aio inotify fifo sockfd memfd userfaultfd rlimit env prctl procfs sysfs pty tmpfs access affinity nice schedpolicy sysinfo; do
timeout -k 2 30 stress-ng --$s 2 -t 1 -q >/dev/null 2>&1; r=$?; echo $s $r; done
