//! Metrics: who reports what, and when.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Run;

const URI: &str = "/redfish/v1/TelemetryService";

#[tokio::test(start_paused = true)]
async fn reports_show_what_the_sensors_read_when_they_were_due() {
    let run = Run::new("machines: [{ name: node, nics: [] }]");
    let client = run.client("node");
    insta::assert_json_snapshot!(
        "definition",
        client
            .get(&format!("{URI}/MetricReportDefinitions/PowerMetrics"))
            .await
            .body
    );
    insta::assert_json_snapshot!(
        "metric",
        client.get(&format!("{URI}/MetricDefinitions/PowerReading")).await.body
    );
    tokio::time::sleep(Duration::from_secs(90)).await;
    let report = client.get(&format!("{URI}/MetricReports/PowerMetrics")).await;
    insta::assert_json_snapshot!("report", report.body);
    tokio::time::sleep(Duration::from_secs(20)).await;
    let again = client.get(&format!("{URI}/MetricReports/PowerMetrics")).await;
    assert_eq!(again.header("etag"), report.header("etag"), "nothing was due");
}

#[tokio::test(start_paused = true)]
async fn reports_are_sent_to_those_who_want_them() {
    let run = Run::new("machines: [{ name: node }]");
    let client = run.client("node");
    let definition = format!("{URI}/MetricReportDefinitions/PowerMetrics");
    for (path, format, filter) in [
        ("events", "Event", json!([])),
        ("all", "MetricReport", json!([])),
        ("power", "MetricReport", json!([{ "@odata.id": definition }])),
    ] {
        let url = format!("http://listener.example/{path}");
        run.world.serve(&url, "");
        let body = json!({
            "Destination": url,
            "Protocol": "Redfish",
            "EventFormatType": format,
            "Context": path,
            "MetricReportDefinitions": filter,
        });
        let created = client.post("/redfish/v1/EventService/Subscriptions", body).await;
        assert_eq!(created.status, 201);
    }
    let enabled = |enabled: bool, interval: &str| json!({ "MetricReportDefinitionEnabled": enabled, "Schedule": { "RecurrenceInterval": interval } });
    assert_eq!(
        client.patch(&definition, enabled(true, "PT1S")).await.messages(),
        ["PropertyValueError"]
    );
    assert_eq!(client.patch(&definition, enabled(true, "PT2M")).await.status, 204);
    tokio::time::sleep(Duration::from_secs(250)).await;
    let requests = run.world.requests.lock().expect("lock").clone();
    let count = |path: &str, id: &str| {
        let is_it =
            |(url, body): &&(String, Value)| url.ends_with(path) && body["Id"] == id && body["Context"] == path[1..];
        requests.iter().filter(is_it).count()
    };
    assert_eq!((count("/all", "ThermalMetrics"), count("/all", "PowerMetrics")), (4, 2));
    assert_eq!(
        (count("/power", "ThermalMetrics"), count("/power", "PowerMetrics")),
        (0, 2)
    );
    assert!(!run.world.urls().contains(&"http://listener.example/events".to_owned()));

    assert_eq!(client.patch(&definition, enabled(false, "PT2M")).await.status, 204);
    assert_eq!(
        client.get(&format!("{URI}/MetricReports/PowerMetrics")).await.status,
        404
    );
    let test = format!("{URI}/Actions/TelemetryService.SubmitTestMetricReport");
    assert_eq!(
        client.post(&test, json!({})).await.messages(),
        ["ActionParameterMissing"]
    );
    let values = json!([{ "MetricId": "a", "MetricValue": "1" }]);
    let body = json!({ "TestMetricReportName": "Test", "GeneratedMetricReportValues": values });
    assert_eq!(client.post(&test, body).await.status, 204);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let sent = run.world.requests.lock().expect("lock").clone();
    assert!(sent.iter().any(|(_, body)| body["MetricValues"] == values));
}
