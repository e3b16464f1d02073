//! Accounts of a BMC.

use std::collections::BTreeMap;

use crate::personality::AccountStyle;
use crate::secret::Secret;

/// Predefined roles (DSP0266 §13.2.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    Administrator,
    Operator,
    ReadOnly,
}

impl Role {
    pub(crate) const ALL: [Role; 3] = [Role::Administrator, Role::Operator, Role::ReadOnly];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Role::Administrator => "Administrator",
            Role::Operator => "Operator",
            Role::ReadOnly => "ReadOnly",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    pub(crate) fn privileges(self) -> &'static [&'static str] {
        match self {
            Role::Administrator => &[
                "Login",
                "ConfigureManager",
                "ConfigureUsers",
                "ConfigureComponents",
                "ConfigureSelf",
            ],
            Role::Operator => &["Login", "ConfigureComponents", "ConfigureSelf"],
            Role::ReadOnly => &["Login", "ConfigureSelf"],
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Empty in a slot that is free.
    pub user_name: String,
    pub password: Secret,
    pub role: Role,
    pub enabled: bool,
}

#[derive(Debug)]
pub(crate) struct Accounts {
    style: AccountStyle,
    /// By number, which is the `Id`. In the slot style free slots are not stored.
    accounts: BTreeMap<u32, Account>,
}

/// Why an account could not be created or renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AccountError {
    NameTaken,
    Full,
}

/// How many accounts fit into a BMC without slots.
const MAXIMUM: usize = 16;

impl Accounts {
    pub(crate) fn new(style: AccountStyle, user_name: &str, password: &Secret) -> Self {
        let administrator = Account {
            user_name: user_name.to_owned(),
            password: password.clone(),
            role: Role::Administrator,
            enabled: true,
        };
        // The first slot of an iDRAC is reserved; its factory account lives in the second.
        let first = match style {
            AccountStyle::Collection { .. } => 1,
            AccountStyle::Slots { .. } => 2,
        };
        Self {
            style,
            accounts: BTreeMap::from([(first, administrator)]),
        }
    }

    /// Numbers of all members of the collection, free slots included.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        match self.style {
            AccountStyle::Collection { .. } => self.accounts.keys().copied().collect(),
            AccountStyle::Slots { count, .. } => (1..=count).collect(),
        }
    }

    /// The account, or an empty one for a free slot, or nothing if there is no such member.
    pub(crate) fn get(&self, number: u32) -> Option<Account> {
        self.accounts.get(&number).cloned().or_else(|| {
            matches!(self.style, AccountStyle::Slots { count, .. } if (1..=count).contains(&number)).then(|| Account {
                user_name: String::new(),
                password: Secret::new(""),
                role: Role::ReadOnly,
                enabled: false,
            })
        })
    }

    /// Stores a changed account; one without a name frees its slot.
    pub(crate) fn put(&mut self, number: u32, account: Account) -> Result<(), AccountError> {
        if account.user_name.is_empty() {
            self.accounts.remove(&number);
            return Ok(());
        }
        if self
            .accounts
            .iter()
            .any(|(other, known)| *other != number && known.user_name == account.user_name)
        {
            return Err(AccountError::NameTaken);
        }
        self.accounts.insert(number, account);
        Ok(())
    }

    pub(crate) fn create(&mut self, account: Account) -> Result<u32, AccountError> {
        if self.accounts.len() >= MAXIMUM {
            return Err(AccountError::Full);
        }
        let number = (1..)
            .find(|number| !self.accounts.contains_key(number))
            .unwrap_or(u32::MAX);
        self.put(number, account)?;
        Ok(number)
    }

    pub(crate) fn remove(&mut self, number: u32) -> bool {
        self.accounts.remove(&number).is_some()
    }

    pub(crate) fn role_of(&self, user_name: &str) -> Option<Role> {
        self.accounts
            .values()
            .find(|account| account.enabled && account.user_name == user_name)
            .map(|account| account.role)
    }

    /// The role of whoever presents these credentials.
    pub(crate) fn log_in(&self, user_name: &str, password: &str) -> Option<Role> {
        self.accounts
            .values()
            .find(|account| account.enabled && account.user_name == user_name && account.password.expose() == password)
            .map(|account| account.role)
    }

    /// Changes a password behind the Redfish service's back. Whether there was such an account.
    pub(crate) fn set_password(&mut self, user_name: &str, password: Secret) -> bool {
        match self
            .accounts
            .values_mut()
            .find(|account| account.user_name == user_name)
        {
            Some(account) => {
                account.password = password;
                true
            }
            None => false,
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        self.accounts
            .values()
            .map(|account| account.user_name.clone())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str) -> Account {
        Account {
            user_name: name.to_owned(),
            password: Secret::new("secret"),
            role: Role::Operator,
            enabled: true,
        }
    }

    #[test]
    fn a_collection_grows_and_shrinks() {
        let style = AccountStyle::Collection {
            maximum_password_length: 64,
        };
        let mut accounts = Accounts::new(style, "admin", &Secret::new("password"));
        assert_eq!(accounts.create(account("carol")), Ok(2));
        assert_eq!(accounts.create(account("carol")), Err(AccountError::NameTaken));
        assert_eq!(accounts.log_in("carol", "secret"), Some(Role::Operator));
        assert_eq!(accounts.log_in("carol", "wrong"), None);
        assert!(accounts.remove(2));
        assert_eq!(accounts.numbers(), [1]);
    }

    #[test]
    fn slots_are_always_there() {
        let style = AccountStyle::Slots {
            count: 16,
            maximum_password_length: 40,
        };
        let mut accounts = Accounts::new(style, "root", &Secret::new("calvin"));
        assert_eq!(accounts.numbers().len(), 16);
        assert_eq!(accounts.get(3).map(|slot| slot.user_name), Some(String::new()));
        assert!(accounts.get(17).is_none());
        accounts.put(3, account("carol")).expect("free");
        accounts.put(3, account("")).expect("freeing never fails");
        assert_eq!(accounts.names(), ["root"]);
    }
}
