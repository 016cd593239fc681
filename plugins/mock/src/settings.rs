//! An instance's settings.

use crate::fault::Fault;
use crate::place::Place;
use runsheet_sdk::log::{Level, line};
use runsheet_sdk::{Class, Error, Settings};

const KNOWN: &[&str] = &["fault", "panic", "password"];

/// The one password.
const PASSWORD: &str = "open sesame";

/// The settings, read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    fault: Option<Fault>,
    panic: Option<Place>,
    password: Option<String>,
}

impl Options {
    /// The settings that could be read, and every fault of the others.
    pub fn read(settings: &Settings) -> (Self, Vec<Error>) {
        let mut faults = settings.unknown(KNOWN);
        let mut word = |key: &str, words: &[&str]| match settings.word(key, "", words) {
            Ok("") => None,
            Ok(word) => Some(word.to_owned()),
            Err(error) => {
                faults.push(error);
                None
            }
        };
        let fault = word("fault", Fault::WORDS).and_then(|word| Fault::from_word(&word));
        let panic = word("panic", Place::WORDS).and_then(|word| Place::from_word(&word));
        let options = Self { fault, panic, password: settings.text("password").map(str::to_owned) };
        if options.has(Fault::SettingUnnamed) {
            faults.iter_mut().for_each(|error| error.object.clear());
        }
        (options, faults)
    }

    /// Whether this rule is to be broken.
    pub fn has(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// Panics where a test wants it.
    pub fn enter(&self, place: Place) {
        assert!(self.panic != Some(place), "the setting `panic` says so");
    }

    /// Refuses a wrong password.
    pub fn log_in(&self) -> Result<(), Error> {
        let Some(password) = &self.password else { return Ok(()) };
        if password == PASSWORD {
            return Ok(());
        }
        if self.has(Fault::SecretLogged) {
            line(Level::Debug, format_args!("the password {password} is wrong"));
        }
        let class = match self.has(Fault::AuthenticationOther) {
            true => Class::Other,
            false => Class::Authentication,
        };
        let message = match self.has(Fault::SecretTold) {
            true => format!("the password {password} is wrong"),
            false => "the password is wrong".to_owned(),
        };
        Err(Error::new(class, message))
    }
}
