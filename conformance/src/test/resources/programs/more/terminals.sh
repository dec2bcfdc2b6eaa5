# tmux, screen, vim and less, each on a terminal, as a person uses them.
# needs: /usr/bin/tmux
# needs: /usr/bin/vim.tiny
export TERM=xterm LC_ALL=C.UTF-8; cd /tmp
tmux -L t new-session -d -x 80 -y 24 'bash --norc'; tmux -L t send-keys 'PS1=; clear; tty | sed "s/[0-9]*$//"; stty size; sleep 100' Enter; sleep 1.5; tmux -L t capture-pane -p | grep -v '^$'
tmux -L t split-window -h 'cat; sleep 100'; tmux -L t send-keys 'typed' Enter; sleep 1; tmux -L t capture-pane -p | tr -s ' │' ' ' | grep typed | sort -u; tmux -L t list-panes -F '#{pane_width}x#{pane_height}'
tmux -L t resize-pane -L 10; tmux -L t list-panes -F '#{pane_width}'; tmux -L t send-keys -t 0.0 C-c; sleep 0.5; tmux -L t send-keys -t 0.0 'stty size | cut -d" " -f1; exit' Enter; sleep 1; tmux -L t list-panes | wc -l; tmux -L t kill-server; sleep 0.3; pgrep tmux | wc -l
screen -d -m -S s bash --norc; sleep 1; screen -S s -X stuff 'echo in screen > /tmp/scr; tty | sed "s/[0-9]*$//" >> /tmp/scr; kill -STOP $$
'; sleep 1.5; cat scr; screen -ls | grep -c Detached; screen -S s -X quit; sleep 0.5; screen -ls | grep -c 'No Sockets'
script -qc "vim.tiny -u NONE -N /tmp/v.txt" /dev/null >/dev/null < <(sleep 1; printf 'ihello\033yyp:s/hello/world/\r'; sleep 0.5; printf ':wq\r'; sleep 0.5); cat v.txt
seq 200 > n; script -qc "less n" out >/dev/null < <(sleep 0.7; printf 'G'; sleep 0.5; printf 'q'; sleep 0.3); grep -c '^200' out
python3 - <<'P'
import pty, os, time, select, signal, fcntl, termios, struct
pid, fd = pty.fork()
if pid == 0: os.execlp('bash', 'bash', '--norc', '--noediting', '-i')
def talk(s, t=0.6):
    os.write(fd, s.encode()); out = b''; end = time.time() + t
    while time.time() < end:
        if select.select([fd], [], [], 0.1)[0]: out += os.read(fd, 4096)
    return out.decode()
talk('PS1="> "; stty -echo\n'); fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack('HHHH', 33, 99, 0, 0)); print('33 99' in talk('stty size\n'))
talk('sleep 100\n', 0.5); print('Stopped' in talk('\x1a')); print('sleep 100 &' in talk('bg\n')); print('Running' in talk('jobs\n')); talk('fg\n', 0.4); talk('\x03'); print('left' in talk('jobs; echo left\n'))
print('tostop' in talk('stty tostop; (echo bg-out) & sleep 0.2; jobs -s; kill %1; stty -a | grep -o -- "-\\?tostop"\n')); os.close(fd); time.sleep(0.2); print(os.waitpid(pid, os.WNOHANG)[0] == pid)
P
