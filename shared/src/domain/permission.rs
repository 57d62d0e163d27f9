use std::fmt;
use std::str::FromStr;

/// The rights of an organisation's member. Each one includes those before it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Permission {
    /// Read the plan, the usage, the credits, the history and the invoices, without their links.
    Read,
    /// Use features, spend credits and save history.
    Spend,
    /// Buy, change or cancel the subscription, and delete history.
    Buy,
}

impl Permission {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Spend => "spend",
            Self::Buy => "buy",
        }
    }
}

impl FromStr for Permission {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let all = [Self::Read, Self::Spend, Self::Buy];
        all.into_iter().find(|permission| permission.as_str() == name).ok_or(())
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
