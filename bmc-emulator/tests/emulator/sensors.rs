//! Sensors: they follow what the machine does, and all resources that show one agree.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Client, Run};

const CHASSIS: &str = "/redfish/v1/Chassis/1";

async fn reading(client: &Client, sensor: &str) -> Option<f64> {
    client.get(&format!("{CHASSIS}/Sensors/{sensor}")).await.body["Reading"].as_f64()
}

#[tokio::test(start_paused = true)]
async fn readings_follow_power() {
    let run = Run::new("machines: [{ name: node }]");
    let client = run.client("node");
    assert!(reading(&client, "TotalPower").await.expect("standby") < 20.0);
    assert_eq!(
        (reading(&client, "CPU1Temp").await, reading(&client, "Fan1").await),
        (None, None)
    );
    let reset = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    client.post(reset, json!({ "ResetType": "On" })).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let cold = reading(&client, "CPU1Temp").await.expect("on");
    let watts = reading(&client, "TotalPower").await.expect("on");
    assert!((28.0..35.0).contains(&cold) && watts > 150.0, "{cold} °C, {watts} W");
    tokio::time::sleep(Duration::from_secs(600)).await;
    let warm = reading(&client, "CPU1Temp").await.expect("on");
    assert!((48.0..60.0).contains(&warm), "{warm} °C");
    assert_eq!(
        reading(&client, "CPU1Temp").await,
        Some(warm),
        "nothing happens between two reads"
    );
}

#[tokio::test(start_paused = true)]
async fn every_view_of_a_sensor_agrees() {
    let run = Run::new("machines: [{ name: node, poweredOn: true }]");
    let client = run.client("node");
    tokio::time::sleep(Duration::from_secs(300)).await;
    let get = |path: &str| {
        let (client, path) = (client.clone(), format!("{CHASSIS}/{path}"));
        async move { client.get(&path).await.body }
    };
    let sensor = get("Sensors/CPU1Temp").await;
    let metrics = get("ThermalSubsystem/ThermalMetrics").await;
    let thermal = get("Thermal").await;
    assert_eq!(metrics["TemperatureReadingsCelsius"][1]["Reading"], sensor["Reading"]);
    assert_eq!(thermal["Temperatures"][1]["ReadingCelsius"], sensor["Reading"]);
    assert_eq!(
        thermal["Temperatures"][1]["UpperThresholdCritical"],
        sensor["Thresholds"]["UpperCritical"]["Reading"]
    );
    let fan = get("Sensors/Fan1").await;
    assert_eq!(
        get("ThermalSubsystem/Fans/Fan1").await["SpeedPercent"]["SpeedRPM"],
        fan["SpeedRPM"]
    );
    assert_eq!(thermal["Fans"][0]["Reading"].as_f64(), fan["SpeedRPM"].as_f64());
    let watts = get("Sensors/TotalPower").await["Reading"].clone();
    assert_eq!(get("EnvironmentMetrics").await["PowerWatts"]["Reading"], watts);
    assert_eq!(get("Power").await["PowerControl"][0]["PowerConsumedWatts"], watts);

    let mut excerpt = get("Sensors/Fan1?excerpt").await;
    let excerpt = excerpt.as_object_mut().expect("an object");
    excerpt.retain(|name, _| !name.starts_with("@odata."));
    assert_eq!(
        Value::Object(excerpt.clone()),
        json!({ "Reading": fan["Reading"], "SpeedRPM": fan["SpeedRPM"] })
    );
    assert_eq!(
        client.get(&format!("{CHASSIS}/Sensors/Fan1?excerpt=1")).await.status,
        400
    );
}
