# Rust: cargo builds a workspace of two crates with a test, and the program runs threads and a server.
# needs: /usr/bin/cargo
# limit: 240
export CARGO_HOME=/tmp/cargo; mkdir -p /tmp/ws && cd /tmp/ws && printf '[workspace]\nmembers = ["a", "b"]\n' > Cargo.toml
cargo new -q --vcs none --lib a 2>/dev/null; cargo new -q --vcs none b 2>/dev/null; echo 'a = { path = "../a" }' >> b/Cargo.toml
cat > a/src/lib.rs <<'R'
pub fn twice(x: u64) -> u64 { x * 2 }
#[cfg(test)] mod tests { #[test] fn works() { assert_eq!(super::twice(4), 8); } }
R
cat > b/src/main.rs <<'R'
use std::{io::{Read, Write}, net::{TcpListener, TcpStream}, process::Command, sync::mpsc, thread};
fn main() {
    let (tx, rx) = mpsc::channel(); let hs: Vec<_> = (0..50u64).map(|i| { let tx = tx.clone(); thread::spawn(move || tx.send(a::twice(i)).unwrap()) }).collect();
    for h in hs { h.join().unwrap(); } drop(tx); println!("sum {}", rx.iter().sum::<u64>());
    let l = TcpListener::bind("127.0.0.1:0").unwrap(); let addr = l.local_addr().unwrap();
    let s = thread::spawn(move || { for c in l.incoming().take(20) { let mut c = c.unwrap(); let mut b = [0; 5]; c.read_exact(&mut b).unwrap(); c.write_all(&b).unwrap(); } });
    let n = (0..20).filter(|_| { let mut c = TcpStream::connect(addr).unwrap(); c.write_all(b"hello").unwrap(); let mut o = String::new(); c.read_to_string(&mut o).unwrap(); o == "hello" }).count();
    s.join().unwrap(); println!("echo {}", n);
    println!("{}", String::from_utf8(Command::new("echo").arg("child").output().unwrap().stdout).unwrap().trim());
}
R
cargo build --offline -q && ./target/debug/b; cargo test --offline -q 2>/dev/null | grep 'test result' | sed 's/finished.*//'
