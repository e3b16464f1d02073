//! `CertificateService`, and the certificate of the HTTPS service (DSP0268, Certificate).

use http::StatusCode;
use rcgen::{CertificateParams, DnType, KeyPair};
use serde_json::{Map, Value, json};

use super::call::Reply;
use super::context::{Answer, Context, collection, link};
use super::message::{self, Message};
use crate::certificate::Identity;

const URI: &str = "/redfish/v1/CertificateService";
const LOCATIONS: &str = "/redfish/v1/CertificateService/CertificateLocations";
const GENERATE_CSR: &str = "CertificateService.GenerateCSR";
const REPLACE: &str = "CertificateService.ReplaceCertificate";

pub(super) fn route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    match rest {
        [] => cx.read_only(|_| {
            json!({
                "@odata.type": "#CertificateService.v1_0_5.CertificateService",
                "@odata.id": URI,
                "Id": "CertificateService",
                "Name": "Certificate Service",
                "CertificateLocations": link(LOCATIONS),
                "Actions": {
                    format!("#{GENERATE_CSR}"): { "target": format!("{URI}/Actions/{GENERATE_CSR}") },
                    format!("#{REPLACE}"): { "target": format!("{URI}/Actions/{REPLACE}") },
                },
            })
        }),
        ["CertificateLocations"] => cx.read_only(|cx| {
            let certificates: Vec<Value> = uris(cx).into_iter().map(link).collect();
            json!({
                "@odata.type": "#CertificateLocations.v1_0_3.CertificateLocations",
                "@odata.id": LOCATIONS,
                "Id": "CertificateLocations",
                "Name": "Certificate Locations",
                "Links": { "Certificates": certificates },
            })
        }),
        ["Actions", GENERATE_CSR] => generate_csr(cx),
        ["Actions", REPLACE] => replace(cx),
        _ => cx.not_found(),
    }
}

/// `Certificates` of the HTTPS service.
pub(super) fn collection_uri(cx: &Context<'_>) -> String {
    format!("{}/NetworkProtocol/HTTPS/Certificates", cx.manager_uri())
}

/// All certificates there are: one, or none where there is no TLS.
fn uris(cx: &Context<'_>) -> Vec<String> {
    let present = cx.machine.https.certificate.iter();
    present.map(|_| format!("{}/1", collection_uri(cx))).collect()
}

pub(super) fn https_route(cx: &mut Context<'_>, rest: &[&str]) -> Answer {
    let uri = collection_uri(cx);
    match rest {
        [] => cx.read_only(|cx| {
            let members = uris(cx);
            collection(&uri, "CertificateCollection", "HTTPS Certificates", members)
        }),
        ["1"] if cx.machine.https.certificate.is_some() => cx.read_only(|cx| document(cx, &uri)),
        _ => cx.not_found(),
    }
}

fn document(cx: &Context<'_>, collection: &str) -> Value {
    let Some(certificate) = &cx.machine.https.certificate else {
        return Value::Null;
    };
    json!({
        "@odata.type": "#Certificate.v1_9_0.Certificate",
        "@odata.id": format!("{collection}/1"),
        "Id": "1",
        "Name": "HTTPS Certificate",
        "CertificateString": certificate.pem,
        "CertificateType": "PEM",
        "CertificateUsageTypes": ["Web"],
        "Subject": identity(&certificate.subject),
        "Issuer": identity(&certificate.issuer),
        "SerialNumber": certificate.serial_number,
        "ValidNotBefore": certificate.not_before.to_string(),
        "ValidNotAfter": certificate.not_after.to_string(),
    })
}

fn identity(identity: &Identity) -> Value {
    let parts = [
        ("CommonName", &identity.common_name),
        ("Organization", &identity.organization),
        ("Country", &identity.country),
    ];
    let known = parts
        .into_iter()
        .filter_map(|(name, part)| Some((name.to_owned(), json!(part.as_ref()?))));
    Value::Object(known.collect())
}

/// The parameters of an action, all of them known and every one of `required` there.
fn parameters(cx: &Context<'_>, action: &str, known: &[&str], required: &[&str]) -> Result<Map<String, Value>, Reply> {
    cx.require_post()?;
    let body = cx.object()?;
    let unknown = body
        .keys()
        .filter(|name| !known.contains(&name.as_str()) && !required.contains(&name.as_str()));
    let mut wrong: Vec<Message> = unknown
        .map(|name| Message::new(&message::ACTION_PARAMETER_UNKNOWN, [action, name]).about(format!("#/{name}")))
        .collect();
    let missing = required.iter().filter(|name| !body.contains_key(**name));
    wrong.extend(missing.map(|name| Message::new(&message::ACTION_PARAMETER_MISSING, [action, name])));
    cx.refuse_if_any(&wrong)?;
    Ok(body)
}

fn refused(cx: &Context<'_>, parameter: &str) -> Reply {
    let message = Message::new(&message::PROPERTY_VALUE_ERROR, [parameter]).about(format!("#/{parameter}"));
    cx.error(StatusCode::BAD_REQUEST, message)
}

/// The key stays in the BMC and waits for the certificate that is made from the request.
fn generate_csr(cx: &mut Context<'_>) -> Answer {
    const NAMES: [(&str, DnType); 6] = [
        ("CommonName", DnType::CommonName),
        ("Organization", DnType::OrganizationName),
        ("OrganizationalUnit", DnType::OrganizationalUnitName),
        ("City", DnType::LocalityName),
        ("State", DnType::StateOrProvinceName),
        ("Country", DnType::CountryName),
    ];
    let known = ["AlternativeNames", "KeyUsage"];
    let required: Vec<&str> = NAMES
        .iter()
        .map(|(name, _)| *name)
        .chain(["CertificateCollection"])
        .collect();
    let body = parameters(cx, GENERATE_CSR, &known, &required)?;
    if cx.machine.https.certificate.is_none() {
        let message = Message::new(&message::ACTION_NOT_SUPPORTED, [GENERATE_CSR]);
        return Err(cx.error(StatusCode::BAD_REQUEST, message));
    }
    let place = collection_uri(cx);
    if body["CertificateCollection"]["@odata.id"] != place.as_str() {
        return Err(refused(cx, "CertificateCollection"));
    }
    let alternative: Option<Vec<String>> = match body.get("AlternativeNames") {
        None => Some(Vec::new()),
        Some(names) => serde_json::from_value(names.clone()).ok(),
    };
    let alternative = alternative.ok_or_else(|| refused(cx, "AlternativeNames"))?;
    let mut request = CertificateParams::new(alternative).map_err(|_| refused(cx, "AlternativeNames"))?;
    request.distinguished_name = rcgen::DistinguishedName::new();
    for (name, kind) in NAMES {
        let text = body[name].as_str().ok_or_else(|| refused(cx, name))?;
        request.distinguished_name.push(kind, text);
    }
    let failed = |_| {
        cx.error(
            StatusCode::INTERNAL_SERVER_ERROR,
            Message::new(&message::INTERNAL_ERROR, []),
        )
    };
    let key = KeyPair::generate().map_err(failed)?;
    let text = request
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(failed)?;
    cx.machine.https.requested_key = Some(key);
    Ok(Reply::json(
        StatusCode::OK,
        json!({ "CertificateCollection": link(place), "CSRString": text }),
    ))
}

/// From the next connection on, the BMC presents the new certificate.
fn replace(cx: &mut Context<'_>) -> Answer {
    let body = parameters(
        cx,
        REPLACE,
        &[],
        &["CertificateString", "CertificateType", "CertificateUri"],
    )?;
    if !matches!(body["CertificateType"].as_str(), Some("PEM" | "PEMchain")) {
        return Err(refused(cx, "CertificateType"));
    }
    let known = uris(cx)
        .into_iter()
        .find(|uri| body["CertificateUri"]["@odata.id"] == uri.as_str());
    let uri = known.ok_or_else(|| refused(cx, "CertificateUri"))?;
    let pem = body["CertificateString"]
        .as_str()
        .ok_or_else(|| refused(cx, "CertificateString"))?;
    let provider = rustls::crypto::ring::default_provider();
    match cx.machine.https.read(pem, &provider) {
        Ok(certificate) => cx.machine.https.certificate = Some(certificate),
        Err(error) => {
            tracing::debug!(%error, "a certificate was refused");
            return Err(refused(cx, "CertificateString"));
        }
    }
    Ok(cx.success().with(http::header::LOCATION, uri))
}
