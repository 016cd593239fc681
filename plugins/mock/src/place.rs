//! The functions of the driver that can be made to panic.

macro_rules! places {
    ($($name:ident = $word:literal,)+) => {
        /// A function of the driver.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Place { $($name,)+ }

        impl Place {
            /// Their words in the setting `panic`.
            pub const WORDS: &[&str] = &[$($word,)+];

            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

places! {
    Check = "check",
    Open = "open",
    Canceler = "canceler",
    Close = "close",
    Reset = "reset",
    Ping = "ping",
    Identify = "identify",
    Execute = "execute",
    Begin = "begin",
    Commit = "commit",
    Rollback = "rollback",
    Cancel = "cancel",
    TryLock = "try-lock",
    Unlock = "unlock",
    Prepare = "prepare",
    Write = "write",
    Read = "read",
    FindVersion = "find-version",
    EndHolder = "end-holder",
    Observe = "observe",
    JudgeExecute = "judge-execute",
    Judge = "judge",
    Advise = "advise",
    LoadBegin = "load-begin",
    LoadRows = "load-rows",
    LoadEnd = "load-end",
    SplitStart = "split-start",
    SplitNext = "split-next",
    SplitFinish = "split-finish",
}
