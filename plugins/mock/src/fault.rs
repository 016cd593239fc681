//! The rules of the ABI that the driver can be told to break, each by its word in the setting `fault`. The conformance suite must find
//! every one of them.

macro_rules! faults {
    ($($(#[$doc:meta])+ $name:ident = $word:literal,)+) => {
        /// A rule that is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $($(#[$doc])+ $name,)+ }

        impl Fault {
            /// Their words in the setting `fault`.
            pub const WORDS: &[&str] = &[$($word,)+];

            /// The fault that a word names.
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)+ _ => None }
            }
        }
    };
}

faults! {
    /// `check` does not name the setting that is wrong.
    SettingUnnamed = "setting-unnamed",
    /// A wrong password is class "other".
    AuthenticationOther = "authentication-other",
    /// A wrong password stands in the message.
    SecretTold = "secret-told",
    /// One row too few is said to be changed.
    WrongCount = "wrong-count",
    /// Of two statements in one text the first is run.
    FirstOfTwo = "first-of-two",
    /// Two statements in one text are refused, after the first was run.
    FirstThenRefused = "first-then-refused",
    /// A statement with a comment is refused.
    CommentRefused = "comment-refused",
    /// An error's position counts characters.
    PositionInCharacters = "position-in-characters",
    /// An error has no position.
    PositionMissing = "position-missing",
    /// Notices come in the wrong order.
    NoticesUnordered = "notices-unordered",
    /// Only the first hundred notices come.
    NoticesCut = "notices-cut",
    /// What is not committed is seen by others.
    SeenEarly = "seen-early",
    /// A commit says OK, and rows that were changed are not.
    CommitForgets = "commit-forgets",
    /// The commit of a transaction that has failed says OK.
    CommitLies = "commit-lies",
    /// A rollback keeps the rows.
    RollbackCommits = "rollback-commits",
    /// A rollback keeps new tables.
    RollbackKeepsDdl = "rollback-keeps-ddl",
    /// A cancel does nothing.
    CancelIgnored = "cancel-ignored",
    /// A cancel that comes when nothing runs hits the next statement.
    CancelLingers = "cancel-lingers",
    /// After a cancel the session is gone.
    CancelEndsSession = "cancel-ends-session",
    /// A statement in whose middle the session ends is said not to have taken effect.
    LostSaysNo = "lost-says-no",
    /// A session that ends in the middle of a statement is only a failure.
    LostOnlyFails = "lost-only-fails",
    /// A statement for a session that ended before it may have taken effect.
    IdleUnknown = "idle-unknown",
    /// A commit in whose middle the session ends is said not to have taken effect.
    CommitLostSaysNo = "commit-lost-says-no",
    /// Every session has the same number.
    IdentityShared = "identity-shared",
    /// A session's number changes.
    IdentityChanges = "identity-changes",
    /// A reset keeps the transaction.
    ResetKeepsTransaction = "reset-keeps-transaction",
    /// A reset keeps settings.
    ResetKeepsSettings = "reset-keeps-settings",
    /// A reset keeps temporary tables.
    ResetKeepsTemporary = "reset-keeps-temporary",
    /// A reset keeps the lock.
    ResetKeepsLock = "reset-keeps-lock",
    /// A reset keeps the old label.
    ResetKeepsLabel = "reset-keeps-label",
    /// Everybody gets the lock.
    LockShared = "lock-shared",
    /// Who holds the lock is not said.
    LockNameless = "lock-nameless",
    /// The lock stays when its session is closed.
    LockOutlives = "lock-outlives",
    /// `unlock` does nothing.
    LockStays = "lock-stays",
    /// There is one lock for all databases.
    LockOfAll = "lock-of-all",
    /// The ledger is prepared once only.
    PrepareOnce = "prepare-once",
    /// A table of the ledger's name is taken for the ledger.
    PrepareTakesForeign = "prepare-takes-foreign",
    /// A mark takes effect at once, whatever becomes of its transaction.
    MarkAtOnce = "mark-at-once",
    /// A mark is accepted twice.
    MarkTwice = "mark-twice",
    /// A mark loses its schema version.
    MarkForgets = "mark-forgets",
    /// Marks are read in the wrong order.
    MarksUnordered = "marks-unordered",
    /// A version is found before its sheet is complete.
    VersionIncomplete = "version-incomplete",
    /// Without a ledger, reading it fails.
    ReadNeedsLedger = "read-needs-ledger",
    /// The last piece of a sheet is not given where no delimiter follows it.
    SplitDropsLast = "split-drops-last",
    /// A piece ends where the text that came so far ends.
    SplitByChunk = "split-by-chunk",
    /// A piece begins at the comment before it.
    SplitWithComment = "split-with-comment",
    /// Loads say one row too few.
    LoadMiscounts = "load-miscounts",
    /// One session's statement holds up all others.
    OneAtATime = "one-at-a-time",
    /// Each session leaves a descriptor behind.
    LeaksDescriptor = "leaks-descriptor",
    /// Each session leaves a thread behind.
    LeaksThread = "leaks-thread",
    /// The working directory is changed.
    ChangesDirectory = "changes-directory",
    /// The umask is changed.
    ChangesUmask = "changes-umask",
    /// Something is written to standard error.
    WritesToStderr = "writes-to-stderr",
}
