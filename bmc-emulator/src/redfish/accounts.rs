//! Accounts of a BMC.

use std::collections::BTreeMap;

use tokio::time::Instant;

use super::lockout::{Failures, Lockout};
use super::roles::{CustomRoles, Role};
use crate::fleet::spec::BmcSpec;
use crate::personality::{AccountStyle, Personality};
use crate::secret::Secret;

#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Empty in a slot that is free.
    pub user_name: String,
    pub password: Secret,
    pub role: Role,
    pub enabled: bool,
    /// Nothing else is allowed until it has been changed (DSP0266 §13.3.6.1).
    pub password_change_required: bool,
    pub failures: Failures,
}

impl Account {
    /// A free slot, and what a new account begins as.
    pub(crate) fn empty() -> Self {
        Self {
            user_name: String::new(),
            password: Secret::new(""),
            role: Role::ReadOnly,
            enabled: false,
            password_change_required: false,
            failures: Failures::default(),
        }
    }

    pub(crate) fn is_locked(&self, now: Instant) -> bool {
        self.failures.is_locked(now)
    }
}

#[derive(Debug)]
pub(crate) struct Accounts {
    style: AccountStyle,
    pub lockout: Lockout,
    /// `MinPasswordLength`.
    pub minimum_password_length: u32,
    pub roles: CustomRoles,
    /// By number, which is the `Id`. In the slot style free slots are not stored.
    accounts: BTreeMap<u32, Account>,
    factory: Factory,
}

#[derive(Debug)]
struct Factory {
    lockout: Lockout,
    minimum_password_length: u32,
    number: u32,
    administrator: Account,
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
    pub(crate) fn new(personality: &Personality, factory: &BmcSpec) -> Self {
        let style = personality.accounts;
        let administrator = Account {
            user_name: factory.username.clone(),
            password: factory.password.clone(),
            role: Role::Administrator,
            enabled: true,
            password_change_required: factory.password_change_required,
            failures: Failures::default(),
        };
        // The first slot of an iDRAC is reserved; its factory account lives in the second.
        let first = match style {
            AccountStyle::Collection { .. } => 1,
            AccountStyle::Slots { .. } => 2,
        };
        Self {
            style,
            lockout: personality.lockout,
            minimum_password_length: personality.minimum_password_length,
            roles: CustomRoles::default(),
            accounts: BTreeMap::from([(first, administrator.clone())]),
            factory: Factory {
                lockout: personality.lockout,
                minimum_password_length: personality.minimum_password_length,
                number: first,
                administrator,
            },
        }
    }

    /// As delivered: one account, and its password.
    pub(crate) fn reset_to_defaults(&mut self) {
        self.lockout = self.factory.lockout;
        self.minimum_password_length = self.factory.minimum_password_length;
        self.roles = CustomRoles::default();
        self.accounts = BTreeMap::from([(self.factory.number, self.factory.administrator.clone())]);
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
            matches!(self.style, AccountStyle::Slots { count, .. } if (1..=count).contains(&number))
                .then(Account::empty)
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

    /// Number and account of a user who may log in.
    pub(crate) fn of_user(&self, user_name: &str) -> Option<(u32, &Account)> {
        let mut all = self.accounts.iter().map(|(number, account)| (*number, account));
        all.find(|(_, account)| account.enabled && account.user_name == user_name)
    }

    /// The role of whoever presents these credentials. Too many wrong passwords lock the account, also for the right one.
    pub(crate) fn log_in(&mut self, user_name: &str, password: &str, now: Instant) -> Option<Role> {
        let lockout = self.lockout;
        let account = self
            .accounts
            .values_mut()
            .find(|account| account.enabled && account.user_name == user_name)?;
        if account.is_locked(now) {
            return None;
        }
        if account.password.expose() == password {
            account.failures = Failures::default();
            return Some(account.role.clone());
        }
        account.failures.add(lockout, now);
        None
    }

    /// Whether somebody has this role.
    pub(super) fn is_used(&self, role: &Role) -> bool {
        self.accounts.values().any(|account| account.role == *role)
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
    use std::time::Duration;

    use super::*;
    use crate::personality::PersonalityName;

    fn account(name: &str) -> Account {
        Account {
            user_name: name.to_owned(),
            password: Secret::new("secret"),
            role: Role::Operator,
            enabled: true,
            ..Account::empty()
        }
    }

    fn accounts(personality: PersonalityName) -> Accounts {
        Accounts::new(personality.personality(), &BmcSpec::default())
    }

    #[test]
    fn a_collection_grows_and_shrinks() {
        let mut accounts = accounts(PersonalityName::Generic);
        let now = Instant::now();
        assert_eq!(accounts.create(account("carol")), Ok(2));
        assert_eq!(accounts.create(account("carol")), Err(AccountError::NameTaken));
        assert_eq!(accounts.log_in("carol", "secret", now), Some(Role::Operator));
        assert_eq!(accounts.log_in("carol", "wrong", now), None);
        assert!(accounts.remove(2));
        assert_eq!(accounts.numbers(), [1]);
    }

    #[test]
    fn slots_are_always_there() {
        let mut accounts = accounts(PersonalityName::Dell);
        assert_eq!(accounts.numbers().len(), 16);
        assert_eq!(accounts.get(3).map(|slot| slot.user_name), Some(String::new()));
        assert!(accounts.get(17).is_none());
        accounts.put(3, account("carol")).expect("free");
        accounts.put(3, account("")).expect("freeing never fails");
        assert_eq!(accounts.names(), ["admin"]);
    }

    #[test]
    fn wrong_passwords_lock_an_account_for_a_while() {
        let mut accounts = accounts(PersonalityName::Generic);
        accounts.lockout = Lockout {
            threshold: 3,
            duration: 60,
            reset_after: 30,
        };
        let start = Instant::now();
        let mut log_in = |password: &str, second| {
            let now = start + Duration::from_secs(second);
            accounts.log_in("admin", password, now).is_some()
        };
        for (password, second, expected) in [
            ("wrong", 0, false),
            ("wrong", 1, false),
            ("password", 2, true),
            ("wrong", 3, false),
            ("wrong", 4, false),
            // The two before are forgotten.
            ("wrong", 40, false),
            ("wrong", 41, false),
            ("wrong", 42, false),
            ("password", 43, false),
            ("password", 101, false),
            ("password", 102, true),
        ] {
            assert_eq!(log_in(password, second), expected, "{password} at {second} s");
        }
    }
}
