//! Random scripts: the seed alone repeats them. `RUNSHEET_SEED` says it, `RUNSHEET_CASES` how many.

/// Splitmix64.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    pub fn one_in(&mut self, chances: usize) -> bool {
        self.below(chances) == 0
    }

    pub fn pick<'a, T: ?Sized>(&mut self, from: &[&'a T]) -> &'a T {
        from[self.below(from.len())]
    }
}

/// The seed of this run, said on the way so that a failure shows it.
pub fn seed() -> u64 {
    let seed =
        std::env::var("RUNSHEET_SEED").ok().map(|seed| seed.parse().expect("RUNSHEET_SEED is a number"));
    let seed = seed.unwrap_or_else(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.expect("the clock is past 1970").as_nanos() as u64 % 1_000_000_000
    });
    eprintln!("RUNSHEET_SEED={seed}");
    seed
}

/// How many cases are tried.
pub fn cases(default: usize) -> usize {
    std::env::var("RUNSHEET_CASES")
        .map_or(default, |cases| cases.parse().expect("RUNSHEET_CASES is a number"))
}

/// Text made of the parts given, in no order.
pub fn soup(random: &mut Random, parts: &[&str], length: usize) -> Vec<u8> {
    let mut text = String::new();
    while text.len() < length {
        text.push_str(random.pick(parts));
    }
    text.into_bytes()
}
