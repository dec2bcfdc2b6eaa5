# Ruby: threads, processes, sockets, files, a fiber scheduler's kind of work.
# needs: /usr/bin/ruby
cat > /tmp/r.rb <<'R'
require 'socket'; require 'tempfile'; require 'digest'; require 'open3'; require 'json'; require 'timeout'
q = Queue.new; ts = 8.times.map { |i| Thread.new { 100.times { |j| q << i * j } } }; ts.each(&:join); puts "threads #{q.size}"
s = TCPServer.new('127.0.0.1', 0); srv = Thread.new { 50.times { c = s.accept; c.puts c.gets.upcase; c.close } }
puts (1..50).map { |i| c = TCPSocket.new('127.0.0.1', s.addr[1]); c.puts "hello #{i}"; r = c.read; c.close; r }.uniq.size; srv.join
puts fork { exit 7 }.then { |p| Process.wait2(p)[1].exitstatus }
o, st = Open3.capture2e('cat; echo err >&2', stdin_data: 'in' * 50000); puts o.size, st.success?
r, w = IO.pipe; pid = fork { r.close; w.write 'x' * 300000; exit! }; w.close; puts r.read.size; Process.wait pid
trap('USR1') { puts 'usr1' }; Process.kill('USR1', $$); sleep 0.05
begin; Timeout.timeout(0.1) { sleep 5 }; rescue Timeout::Error; puts 'timeout'; end
Tempfile.create('t') { |f| f.write 'abc'; f.flush; f.flock(File::LOCK_EX); puts File.size(f.path) }
u = UNIXServer.new('/tmp/u.sock'); Thread.new { c = u.accept; c.send_io(File.open('/etc/hostname')); c.close }; c = UNIXSocket.new('/tmp/u.sock'); puts c.recv_io.class
puts Digest::SHA256.hexdigest('x' * 1_000_000)[0, 16], JSON.parse('{"a":[1,2]}')['a'].sum
GC.stress = false; a = 200_000.times.map { |i| 's' * (i % 50) }; a = nil; GC.start; puts GC.count > 0
puts Process.clock_gettime(Process::CLOCK_PROCESS_CPUTIME_ID) > 0, Etc.respond_to?(:nprocessors)
puts Dir.mktmpdir { |d| 20.times { |i| File.write("#{d}/#{i}", i) }; Dir.children(d).size } rescue (require 'tmpdir'; retry)
R
ruby /tmp/r.rb
