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
    /// A wrong password stands in the log.
    SecretLogged = "secret-logged",
    /// The last piece of a sheet is not given where no delimiter follows it.
    SplitDropsLast = "split-drops-last",
    /// A piece begins at the comment before it.
    SplitWithComment = "split-with-comment",
    /// A piece ends where the text that came so far ends.
    SplitByChunk = "split-by-chunk",
    /// A piece at the beginning of a sheet has no kind.
    SplitForgetsKind = "split-forgets-kind",
    /// One row too few is said to be changed.
    WrongCount = "wrong-count",
    /// A statement that fails may have taken effect.
    AppliedUnknown = "applied-unknown",
    /// Of two statements in one text the first is run.
    FirstOfTwo = "first-of-two",
    /// Two statements in one text are refused, after the first was run.
    FirstThenRefused = "first-then-refused",
    /// A text without a statement ends the session.
    EmptyEndsSession = "empty-ends-session",
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
    /// A commit of more than one row forgets the last.
    CommitForgets = "commit-forgets",
    /// A statement never says that a transaction is open.
    TransactionUnsaid = "transaction-unsaid",
    /// The commit of a transaction that has failed says OK.
    CommitLies = "commit-lies",
    /// A rollback keeps a row that is all that was changed.
    RollbackCommits = "rollback-commits",
    /// A rollback keeps new tables.
    RollbackKeepsDdl = "rollback-keeps-ddl",
    /// A session that is closed commits.
    CloseCommits = "close-commits",
    /// Loads say one row too few.
    LoadMiscounts = "load-miscounts",
    /// Of a load with a wrong row those before it are kept.
    LoadKeepsSome = "load-keeps-some",
    /// In a batch no statement says how many rows it changed.
    BatchUncounted = "batch-uncounted",
    /// In a batch an error has no position.
    BatchUnplaced = "batch-unplaced",
    /// In a batch notices come behind their statement's outcome.
    BatchNoticesLate = "batch-notices-late",
    /// Without a ledger, reading it fails.
    ReadNeedsLedger = "read-needs-ledger",
    /// A session prepares the ledger once only.
    PrepareOnce = "prepare-once",
    /// A table of the ledger's name is taken for the ledger.
    PrepareTakesForeign = "prepare-takes-foreign",
    /// A mark takes effect at once, whatever becomes of its transaction.
    MarkAtOnce = "mark-at-once",
    /// A mark takes effect at once where a statement has opened the transaction.
    MarkLeavesOwn = "mark-leaves-own",
    /// A mark is accepted twice.
    MarkTwice = "mark-twice",
    /// A mark loses its host.
    MarkForgets = "mark-forgets",
    /// Marks are read in the wrong order.
    MarksUnordered = "marks-unordered",
    /// A version is found before its sheet is complete.
    VersionIncomplete = "version-incomplete",
    /// Who asks for the lock twice gets it.
    LockForTheAsking = "lock-for-the-asking",
    /// `unlock` does nothing.
    LockStays = "lock-stays",
    /// Who holds the lock is not said.
    LockNameless = "lock-nameless",
    /// There is one lock for all databases.
    LockOfAll = "lock-of-all",
    /// The lock stays when its session is closed.
    LockOutlivesClose = "lock-outlives-close",
    /// The lock stays when its session is killed, until it is closed.
    LockOutlivesKill = "lock-outlives-kill",
    /// A commit lets go of the lock.
    LockEndsWithCommit = "lock-ends-with-commit",
    /// Whoever holds the lock is ended, whether he is meant or not.
    EndsAnyHolder = "ends-any-holder",
    /// What stands alone is said to have taken effect.
    JudgeSaysApplied = "judge-says-applied",
    /// What stands alone is said to have had no effect.
    JudgeSaysNotApplied = "judge-says-not-applied",
    /// To judge a statement that had no effect runs it.
    JudgeRuns = "judge-runs",
    /// A session says another account each time.
    IdentityChanges = "identity-changes",
    /// Each session says another server.
    SystemDiffers = "system-differs",
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
    /// A cancel does nothing.
    CancelIgnored = "cancel-ignored",
    /// After a cancel the session is gone.
    CancelEndsSession = "cancel-ends-session",
    /// A cancel that comes when nothing runs hits the next statement.
    CancelLingers = "cancel-lingers",
    /// A cancel that comes when nothing runs hits the ledger's next call.
    CancelHitsLedger = "cancel-hits-ledger",
    /// A statement in whose middle the session ends is said not to have taken effect.
    LostSaysNo = "lost-says-no",
    /// A session that ends in the middle of a statement is only a failure.
    LostOnlyFails = "lost-only-fails",
    /// A commit in whose middle the session ends is said not to have taken effect.
    CommitLostSaysNo = "commit-lost-says-no",
    /// A statement for a session that ended before it may have taken effect.
    IdleUnknown = "idle-unknown",
    /// A session that was killed leaves a descriptor behind.
    LossLeaksDescriptor = "loss-leaks-descriptor",
    /// Only the thread that opened a session can write.
    ThreadBound = "thread-bound",
    /// One session's statement holds up all others.
    OneAtATime = "one-at-a-time",
    /// A row is lost where another session puts one in at the same moment.
    LosesBeside = "loses-beside",
    /// Each transaction leaves a descriptor behind.
    LeaksDescriptor = "leaks-descriptor",
    /// Each transaction leaves a thread behind.
    LeaksThread = "leaks-thread",
    /// The working directory is changed.
    ChangesDirectory = "changes-directory",
    /// The umask is changed.
    ChangesUmask = "changes-umask",
    /// Something is written to standard error.
    WritesToStderr = "writes-to-stderr",
}
