//! `/redfish`, the service root, and the two OData documents.

use serde_json::{Value, json};

use super::call::{Content, Reply};
use super::context::{Answer, Context, link};

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
            "Systems": link("/redfish/v1/Systems"),
            "Chassis": link("/redfish/v1/Chassis"),
            "Managers": link("/redfish/v1/Managers"),
            "Tasks": link("/redfish/v1/TaskService"),
            "SessionService": link("/redfish/v1/SessionService"),
            "AccountService": link("/redfish/v1/AccountService"),
            "EventService": link("/redfish/v1/EventService"),
            "UpdateService": link("/redfish/v1/UpdateService"),
            "Registries": link("/redfish/v1/Registries"),
            "CertificateService": link("/redfish/v1/CertificateService"),
            "Links": { "Sessions": link("/redfish/v1/SessionService/Sessions") },
        });
        cx.add_oem(&mut document, |oem| oem.root);
        document
    })
}

/// The OData service document (DSP0266 §8.4.2).
pub(super) fn odata(cx: &mut Context<'_>) -> Answer {
    const SERVICES: [&str; 10] = [
        "Systems",
        "Chassis",
        "Managers",
        "TaskService",
        "SessionService",
        "AccountService",
        "EventService",
        "UpdateService",
        "Registries",
        "CertificateService",
    ];
    cx.read_only(|_| {
        let root = json!({ "name": "Service", "kind": "Singleton", "url": "/redfish/v1/" });
        let rest =
            SERVICES.map(|name| json!({ "name": name, "kind": "Singleton", "url": format!("/redfish/v1/{name}") }));
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
const METADATA: &str = include_str!("metadata.xml");
