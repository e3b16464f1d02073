"""Drives one BMC with `redfish`, the Python library of the DMTF.

Arguments: the URL of the service, user, password.
"""

import http.server
import json
import queue
import threading

import redfish


class Collector(http.server.BaseHTTPRequestHandler):
    """Serves an image and takes events."""

    events = queue.Queue()

    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"CD001")

    def do_POST(self):
        self.events.put(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0)))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


def serve():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


class Bmc:
    """The steps, in the order of their names in STEPS."""

    def __init__(self, url, user, password, files):
        self.url, self.files = url, files
        self.client = redfish.redfish_client(base_url=url, username=user, password=password)
        self.client.login(auth="session")
        self.root = self.get("/redfish/v1/")
        self.system_uri = self.member(self.root["Systems"])
        self.manager_uri = self.member(self.root["Managers"])

    def get(self, link):
        uri = link if isinstance(link, str) else link["@odata.id"]
        response = self.client.get(uri)
        assert response.status == 200, f"GET {uri}: {response.status} {response.text}"
        return response.dict

    def member(self, link):
        return self.get(link)["Members"][0]["@odata.id"]

    def send(self, method, uri, body):
        response = getattr(self.client, method)(uri, body=body)
        if response.status == PRECONDITION_REQUIRED:
            tag = self.client.get(uri).getheader("ETag").removeprefix("W/")
            response = getattr(self.client, method)(uri, body=body, headers={"If-Match": tag})
        assert response.status in (200, 201, 202, 204), f"{method} {uri}: {response.status} {response.text}"
        return response

    def system(self):
        return self.get(self.system_uri)

    def reset(self, kind, state):
        self.send("post", self.system()["Actions"]["#ComputerSystem.Reset"]["target"], {"ResetType": kind})
        until(lambda: self.system()["PowerState"] == state, f"it is not {state} after {kind}")

    def power(self):
        self.reset("ForceOff", "Off")
        self.reset("On", "On")
        wait_for_post()

    def boot(self):
        boot = {"BootSourceOverrideTarget": "Pxe", "BootSourceOverrideEnabled": "Once"}
        self.send("patch", self.system_uri, {"Boot": boot})
        assert self.system()["Boot"]["BootSourceOverrideTarget"] == "Pxe"

    def bios(self):
        if "Bios" not in self.system():
            raise NotOffered("no Bios")
        bios = self.get(self.system()["Bios"])
        texts = {name: value for name, value in bios["Attributes"].items() if value and isinstance(value, str)}
        settings = bios["@Redfish.Settings"]["SettingsObject"]["@odata.id"]
        self.send("patch", settings, {"Attributes": dict([min(texts.items())])})

    def accounts(self):
        accounts = self.get(self.root["AccountService"])["Accounts"]
        new = {"UserName": "interop", "Password": "Interop-5678", "RoleId": "Operator", "Enabled": True}
        slots = [link["@odata.id"] for link in self.get(accounts)["Members"]]
        empty = [uri for uri in slots if not self.get(uri)["UserName"]]
        # Where accounts are slots, the first may be reserved.
        uri = empty[-1] if empty else None
        if uri:
            self.send("patch", uri, new)
        else:
            uri = self.send("post", accounts["@odata.id"], new).getheader("Location")
            uri = uri[uri.index("/redfish/") :]
        other = redfish.redfish_client(base_url=self.url, username="interop", password="Interop-5678")
        other.login(auth="session")
        assert other.get(self.system_uri).status == 200
        other.logout()
        if empty:
            self.send("patch", uri, {"UserName": "", "Enabled": False})
        else:
            assert self.client.delete(uri).status in (200, 204)

    def virtual_media(self):
        for owner in (self.system(), self.get(self.manager_uri)):
            if "VirtualMedia" in owner:
                break
        else:
            raise AssertionError("neither the system nor the manager has virtual media")
        slots = [link["@odata.id"] for link in self.get(owner["VirtualMedia"])["Members"]]
        uri = next(uri for uri in slots if "CD" in self.get(uri)["MediaTypes"])
        actions = self.get(uri).get("Actions", {})
        if "#VirtualMedia.InsertMedia" in actions:
            self.send("post", actions["#VirtualMedia.InsertMedia"]["target"], {"Image": f"{self.files}/rescue.iso"})
            assert self.get(uri)["Inserted"]
            self.send("post", actions["#VirtualMedia.EjectMedia"]["target"], {})
        else:
            self.send("patch", uri, {"Image": f"{self.files}/rescue.iso", "Inserted": True})
            assert self.get(uri)["Inserted"]
            self.send("patch", uri, {"Image": None, "Inserted": False})
        assert not self.get(uri)["Inserted"]

    def events(self):
        service = self.get(self.root["EventService"])
        body = {"Destination": self.files, "Protocol": "Redfish", "Context": "redfish-client"}
        made = self.send("post", service["Subscriptions"]["@odata.id"], body)
        location = made.getheader("Location")
        self.reset("ForceOff", "Off")
        event = Collector.events.get(timeout=30)
        assert event.get("Context", "redfish-client") == "redfish-client" and event["Events"], event
        assert self.client.delete(location[location.index("/redfish/") :]).status in (200, 204)


STEPS = ["power", "boot", "bios", "accounts", "virtual_media", "events"]


def main():
    url, user, password = sys.argv[1:]
    bmc = Bmc(url, user, password, serve())
    failed = run(bmc, STEPS)
    bmc.client.logout()
    sys.exit(failed)


if __name__ == "__main__":
    main()
