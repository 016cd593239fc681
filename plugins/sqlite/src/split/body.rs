//! The states of `sqlite3_complete`: whether a semicolon ends the statement, or stands in a trigger's body.

/// Where in a statement the scanner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// Before its first token.
    Start,
    /// In a statement that its next semicolon ends.
    Normal,
    Explain,
    /// Behind CREATE, where TRIGGER may come.
    Create,
    /// In a trigger.
    Trigger,
    /// In a trigger, behind a semicolon, where END may come.
    TriggerSemicolon,
    /// Behind `; END`, where a semicolon ends the trigger.
    TriggerEnd,
}

#[derive(Clone, Copy)]
enum Token {
    Other,
    Explain,
    Create,
    Temp,
    Trigger,
    End,
}

impl Token {
    fn of(word: &[u8]) -> Self {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        match word.first().map(u8::to_ascii_lowercase) {
            Some(b'c') if is("create") => Self::Create,
            Some(b't') if is("trigger") => Self::Trigger,
            Some(b't') if is("temp") || is("temporary") => Self::Temp,
            Some(b'e') if is("end") => Self::End,
            Some(b'e') if is("explain") => Self::Explain,
            _ => Self::Other,
        }
    }
}

impl Body {
    /// The state behind a word, or behind another token where there is none.
    pub fn after(self, word: Option<&[u8]>) -> Self {
        if self.needs_no_words() {
            return self;
        }
        let token = word.map_or(Token::Other, Token::of);
        match (self, token) {
            (Self::Start, Token::Explain) => Self::Explain,
            (Self::Start | Self::Explain, Token::Create) => Self::Create,
            (Self::Start, Token::Other | Token::Temp | Token::Trigger | Token::End) => Self::Normal,
            (Self::Explain, Token::Other) => Self::Explain,
            (Self::Explain, Token::Explain | Token::Temp | Token::Trigger | Token::End) => Self::Normal,
            (Self::Create, Token::Temp) => Self::Create,
            (Self::Create, Token::Trigger) => Self::Trigger,
            (Self::Create, Token::Other | Token::Explain | Token::Create | Token::End) => Self::Normal,
            (Self::TriggerSemicolon, Token::End) => Self::TriggerEnd,
            (
                Self::TriggerSemicolon,
                Token::Other | Token::Explain | Token::Create | Token::Temp | Token::Trigger,
            ) => Self::Trigger,
            (Self::TriggerEnd | Self::Trigger, _) => Self::Trigger,
            (Self::Normal, _) => Self::Normal,
        }
    }

    /// A semicolon: true where it ends the statement. Semicolons by themselves are nothing.
    pub fn semicolon(&mut self) -> bool {
        match self {
            Self::Start => false,
            Self::Trigger | Self::TriggerSemicolon => {
                *self = Self::TriggerSemicolon;
                false
            }
            Self::Normal | Self::Explain | Self::Create | Self::TriggerEnd => true,
        }
    }

    /// Whether a semicolon now would not end the statement because it stands in a trigger.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Trigger | Self::TriggerSemicolon)
    }

    /// Whether no word changes the state: only a semicolon does.
    pub fn needs_no_words(self) -> bool {
        matches!(self, Self::Normal | Self::Trigger)
    }
}
