//! `/redfish`, the service root, and the two OData documents.

use serde_json::{Value, json};

use super::call::{Content, Reply};
use super::context::{Answer, Context, link};
use crate::personality::Personality;

/// `/redfish`: exactly this body (DSP0266 §6.2).
pub(super) fn versions(cx: &mut Context<'_>) -> Answer {
    if !matches!(cx.call.method, http::Method::GET | http::Method::HEAD) {
        return cx.not_allowed("GET, HEAD");
    }
    Ok(Reply::json(http::StatusCode::OK, json!({ "v1": "/redfish/v1/" })))
}

pub(super) fn root(cx: &mut Context<'_>) -> Answer {
    cx.read_only(|cx| {
        let personality = cx.personality();
        let query = &personality.query;
        let mut document = json!({
            "@odata.type": "#ServiceRoot.v1_16_1.ServiceRoot",
            "@odata.id": "/redfish/v1/",
            "@odata.context": "/redfish/v1/$metadata#ServiceRoot.ServiceRoot",
            "Id": "RootService",
            "Name": "Root Service",
            "RedfishVersion": "1.18.0",
            "UUID": cx.machine.hardware.bmc_uuid.to_string(),
            "Vendor": personality.vendor,
            "Product": personality.product,
            "ProtocolFeaturesSupported": {
                "ExpandQuery": {
                    "ExpandAll": query.expand_links,
                    "Levels": query.expand_levels > 0,
                    "Links": query.expand_links,
                    "MaxLevels": query.expand_levels,
                    "NoLinks": query.expand_levels > 0,
                },
                "FilterQuery": query.filter,
                "SelectQuery": query.select,
                "OnlyMemberQuery": query.only,
                "ExcerptQuery": query.excerpt,
                "DeepOperations": { "DeepPATCH": false, "DeepPOST": false },
            },
            "Links": { "Sessions": link("/redfish/v1/SessionService/Sessions") },
        });
        for (property, name) in services(personality) {
            document[property] = link(format!("/redfish/v1/{name}"));
        }
        cx.add_oem(&mut document, |oem| oem.root);
        document
    })
}

/// Property of the root, and last segment of the URI, of everything this BMC has.
fn services(personality: &Personality) -> impl Iterator<Item = (&'static str, &'static str)> {
    let common = [
        ("Systems", "Systems"),
        ("Chassis", "Chassis"),
        ("Managers", "Managers"),
        ("Tasks", "TaskService"),
        ("SessionService", "SessionService"),
        ("AccountService", "AccountService"),
        ("EventService", "EventService"),
        ("UpdateService", "UpdateService"),
        ("Registries", "Registries"),
        ("CertificateService", "CertificateService"),
        ("JsonSchemas", "JsonSchemas"),
    ];
    let optional = [
        (personality.trusted_components, "ComponentIntegrity"),
        (personality.jobs.has_service(), "JobService"),
        (personality.telemetry.is_some(), "TelemetryService"),
    ];
    let optional = optional
        .into_iter()
        .filter(|(has, _)| *has)
        .map(|(_, name)| (name, name));
    common.into_iter().chain(optional)
}

/// The OData service document (DSP0266 §8.4.2).
pub(super) fn odata(cx: &mut Context<'_>) -> Answer {
    cx.read_only(|cx| {
        let root = json!({ "name": "Service", "kind": "Singleton", "url": "/redfish/v1/" });
        let rest = services(cx.personality())
            .map(|(_, name)| json!({ "name": name, "kind": "Singleton", "url": format!("/redfish/v1/{name}") }));
        let all: Vec<Value> = std::iter::once(root).chain(rest).collect();
        json!({ "@odata.context": "/redfish/v1/$metadata", "value": all })
    })
}

pub(super) fn metadata(cx: &mut Context<'_>) -> Answer {
    if !matches!(cx.call.method, http::Method::GET | http::Method::HEAD) {
        return cx.not_allowed("GET, HEAD");
    }
    let mut reply = Reply::new(http::StatusCode::OK);
    reply.body = Some(Content::Xml(bytes::Bytes::from_static(METADATA.as_bytes())));
    Ok(reply)
}

/// References to the published schemas of everything this service shows (DSP0266 §8.4.3).
pub(super) const METADATA: &str = include_str!("metadata.xml");
