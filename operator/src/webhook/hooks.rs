//! Which objects are judged. The same table makes the routes and `operator/deploy/components/webhook`.

use kube::core::admission::Operation;

use super::firmware::{BIOS_SETTINGS, BIOS_VERSION, BMC_SETTINGS, BMC_VERSION, Firmware};

/// One webhook.
#[derive(Clone, Copy, Debug)]
pub struct Hook {
    /// As in the ValidatingWebhookConfiguration.
    pub name: &'static str,
    /// Where the API server posts to.
    pub path: &'static str,
    /// Plural, of group `metal.ironcore.dev`.
    pub resource: &'static str,
    /// What is judged.
    pub operations: &'static [Operation],
    /// Whose rule it is.
    pub subject: Subject,
}

/// The kinds with a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Endpoint,
    BmcSecret,
    Server,
    Firmware(Firmware),
}

/// All webhooks.
pub const HOOKS: &[Hook] = &[
    Hook {
        name: "vendpoint-v1alpha1.kb.io",
        path: "/validate-metal-ironcore-dev-v1alpha1-endpoint",
        resource: "endpoints",
        operations: &[Operation::Create, Operation::Update],
        subject: Subject::Endpoint,
    },
    Hook {
        name: "vbmcsecret-v1alpha1.kb.io",
        path: "/validate-metal-ironcore-dev-v1alpha1-bmcsecret",
        resource: "bmcsecrets",
        operations: &[Operation::Create, Operation::Update, Operation::Delete],
        subject: Subject::BmcSecret,
    },
    Hook {
        name: "vserver-v1alpha1.kb.io",
        path: "/validate-metal-ironcore-dev-v1alpha1-server",
        resource: "servers",
        operations: &[Operation::Delete],
        subject: Subject::Server,
    },
    Hook {
        name: "vbiossettings-v1alpha1.kb.io",
        path: "/validate-metal-ironcore-dev-v1alpha1-biossettings",
        resource: "biossettings",
        operations: &[Operation::Create, Operation::Update, Operation::Delete],
        subject: Subject::Firmware(BIOS_SETTINGS),
    },
    Hook {
        name: "vbiosversion-v1alpha1.kb.io",
        path: "/validate-metal-ironcore-dev-v1alpha1-biosversion",
        resource: "biosversions",
        operations: &[Operation::Create, Operation::Update, Operation::Delete],
        subject: Subject::Firmware(BIOS_VERSION),
    },
    Hook {
        name: "vbmcsettings-v1alpha1.kb.io",
        path: "/validate-metal-ironcore-dev-v1alpha1-bmcsettings",
        resource: "bmcsettings",
        operations: &[Operation::Create, Operation::Update, Operation::Delete],
        subject: Subject::Firmware(BMC_SETTINGS),
    },
    Hook {
        name: "vbmcversion-v1alpha1.kb.io",
        path: "/validate-metal-ironcore-dev-v1alpha1-bmcversion",
        resource: "bmcversions",
        operations: &[Operation::Create, Operation::Update, Operation::Delete],
        subject: Subject::Firmware(BMC_VERSION),
    },
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_webhook_has_a_path_and_a_name_of_its_own() {
        let paths: BTreeSet<&str> = HOOKS.iter().map(|hook| hook.path).collect();
        let names: BTreeSet<&str> = HOOKS.iter().map(|hook| hook.name).collect();
        assert_eq!((paths.len(), names.len()), (HOOKS.len(), HOOKS.len()));
    }
}
