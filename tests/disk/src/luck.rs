//! What decides, at a power cut, which of the things that nobody has synced were written all the same.

/// Draws from a generator of the test's own, so that its seed alone repeats a cut.
pub(crate) struct Luck<'r> {
    below: &'r mut dyn FnMut(u64) -> u64,
    /// How many of a hundred things that were not synced are on the disk as they were last.
    kept: u64,
}

impl<'r> Luck<'r> {
    /// `below` gives a number from 0 to below its argument. Some cuts come long after the system has written everything back, some
    /// right before, and most in the middle.
    pub fn new(below: &'r mut dyn FnMut(u64) -> u64) -> Self {
        let kept = match below(6) {
            0 => 0,
            1 => 100,
            _ => below(101),
        };
        Self { below, kept }
    }

    /// Whether something that was not synced is on the disk as it was last.
    pub fn keeps(&mut self) -> bool {
        (self.below)(100) < self.kept
    }

    /// One of so many states in a row, of which the first is the synced one: the last, or any.
    pub fn state(&mut self, states: usize) -> usize {
        if self.keeps() { states.saturating_sub(1) } else { self.index(states) }
    }

    /// Any number below `end`.
    pub fn index(&mut self, end: usize) -> usize {
        usize::try_from((self.below)(end as u64)).unwrap_or(0)
    }
}
