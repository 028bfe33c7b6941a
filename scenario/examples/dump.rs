fn main() { let a: Vec<u64> = std::env::args().skip(2).map(|x| x.parse().unwrap()).collect();
 let o = counterfoil_scenario::Options{seed: a[0], people: a[1] as u32, months: a[2] as u32, ..Default::default()};
 let t=std::time::Instant::now(); let c = counterfoil_scenario::generate(&o); eprintln!("{:?} {} bytes", t.elapsed(), c.files.iter().map(|f| f.bytes.len()).sum::<usize>());
 c.write_to(std::path::Path::new(&std::env::args().nth(1).unwrap())).unwrap(); eprintln!("{:#?}", c.truth.counts); }
