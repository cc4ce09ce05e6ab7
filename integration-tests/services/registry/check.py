"""Holds the development registry to the answers that the API documents; on an instance of its own.

    check.py            ends with 0 when every answer is as documented
"""

import base64
import json
import os
import pathlib
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

SERVICES = pathlib.Path(__file__).resolve().parent.parent / "services"
USER = "checker:secret"


def record(*fields):
    return json.dumps({"type": "record", "name": "Order", "fields": list(fields)})


ID = {"name": "id", "type": "long"}
NOTE = {"name": "note", "type": "string"}
NOTE_OPTIONAL = {"name": "note", "type": ["null", "string"], "default": None}


class Api:
    def __init__(self, port):
        self.base = f"http://127.0.0.1:{port}"
        self.user = USER

    def call(self, method, path, body=None):
        """Status, and the answer decoded."""
        request = urllib.request.Request(self.base + path, method=method, data=body and json.dumps(body).encode())
        request.add_header("Content-Type", "application/vnd.schemaregistry.v1+json")
        if self.user:
            request.add_header("Authorization", "Basic " + base64.b64encode(self.user.encode()).decode())
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)

    def gives(self, wanted, method, path, body=None):
        got = self.call(method, path, body)
        assert got == (200, wanted), f"{method} {path}: wanted {wanted}, got {got}"

    def refuses(self, code, method, path, body=None):
        status, answer = self.call(method, path, body)
        status_wanted = code // 100 if code > 999 else code
        assert (status, answer.get("error_code")) == (status_wanted, code), f"{method} {path}: wanted {code}, got {status} {answer}"
        assert answer["message"], path
        return answer["message"]


def subjects_and_look_up(api):
    api.gives([], "GET", "/subjects")
    api.refuses(40401, "GET", "/subjects/a-value/versions")
    api.refuses(40401, "POST", "/subjects/a-value", {"schema": record(ID)})
    api.gives({"id": 1}, "POST", "/subjects/a-value/versions", {"schema": record(ID)})
    api.gives({"id": 1}, "POST", "/subjects/a-value/versions", {"schema": record(ID)})
    api.gives({"id": 1}, "POST", "/subjects/b%2Fc/versions", {"schema": record(ID)})
    api.gives(["a-value", "b/c"], "GET", "/subjects")
    first = {"subject": "a-value", "version": 1, "id": 1, "schema": api.call("GET", "/schemas/ids/1")[1]["schema"]}
    assert json.loads(first["schema"]) == json.loads(record(ID))
    api.gives(first, "POST", "/subjects/a-value", {"schema": record(ID)})
    api.gives(first, "GET", "/subjects/a-value/versions/latest")
    api.refuses(40403, "POST", "/subjects/a-value", {"schema": record(NOTE)})
    api.refuses(40402, "GET", "/subjects/a-value/versions/2")
    api.refuses(42202, "GET", "/subjects/a-value/versions/zero")
    api.refuses(40403, "GET", "/schemas/ids/99")
    for text in ("{", '{"type": "record"}', record({"name": "id", "type": "int", "default": "one"})):
        api.refuses(42201, "POST", "/subjects/a-value/versions", {"schema": text})
    api.refuses(404, "GET", "/nothing")


def compatibility(api):
    path = "/compatibility/subjects/a-value/versions"
    api.refuses(40408, "GET", "/config/a-value")
    api.gives({"compatibilityLevel": "BACKWARD"}, "GET", "/config/a-value?defaultToGlobal=true")
    api.refuses(42203, "PUT", "/config/a-value", {"compatibility": "SIDEWAYS"})
    # A field without a default: new readers cannot read what there is, old ones pass over it.
    mandatory = {"schema": record(ID, NOTE)}
    assert "note" in api.refuses(409, "POST", "/subjects/a-value/versions", mandatory)
    api.gives({"is_compatible": False}, "POST", path + "/latest", mandatory)
    problems = api.call("POST", path + "/latest?verbose=true", mandatory)[1]["messages"]
    assert any("READER_FIELD_MISSING_DEFAULT_VALUE" in p and "/fields/1" in p for p in problems), problems
    api.gives({"compatibility": "FORWARD"}, "PUT", "/config/a-value", {"compatibility": "FORWARD"})
    api.gives({"is_compatible": True, "messages": []}, "POST", path + "/latest?verbose=true", mandatory)
    api.gives({"compatibility": "FULL_TRANSITIVE"}, "PUT", "/config/a-value", {"compatibility": "FULL_TRANSITIVE"})
    api.gives({"compatibilityLevel": "FULL_TRANSITIVE"}, "GET", "/config/a-value")
    api.gives({"is_compatible": False}, "POST", path, mandatory)
    api.gives({"id": 2}, "POST", "/subjects/a-value/versions", {"schema": record(ID, NOTE_OPTIONAL)})
    api.refuses(40402, "POST", path + "/7", mandatory)
    api.gives([1, 2], "GET", "/subjects/a-value/versions")


def deletion(api):
    api.refuses(40405, "DELETE", "/subjects/a-value?permanent=true")
    api.refuses(40407, "DELETE", "/subjects/a-value/versions/1?permanent=true")
    api.gives(1, "DELETE", "/subjects/a-value/versions/1")
    api.refuses(40406, "DELETE", "/subjects/a-value/versions/1")
    api.gives([2], "GET", "/subjects/a-value/versions")
    api.gives([1, 2], "GET", "/subjects/a-value/versions?deleted=true")
    api.gives([2], "DELETE", "/subjects/a-value")
    api.refuses(40404, "DELETE", "/subjects/a-value")
    api.gives(["b/c"], "GET", "/subjects")
    api.gives({"id": 3}, "POST", "/subjects/a-value/versions", {"schema": record(NOTE)})
    api.gives([3], "GET", "/subjects/a-value/versions")


def modes(api):
    api.gives({"mode": "READWRITE"}, "GET", "/mode")
    api.refuses(40409, "GET", "/mode/b%2Fc")
    api.gives({"mode": "READONLY"}, "PUT", "/mode/b%2Fc", {"mode": "READONLY"})
    api.refuses(42205, "POST", "/subjects/b%2Fc/versions", {"schema": record(NOTE)})
    api.refuses(42204, "PUT", "/mode", {"mode": "SOMETIMES"})


def faults(api):
    api.gives({"status": 503, "count": 2}, "POST", "/test/fail?status=503&count=2")
    for _ in range(2):
        api.refuses(503, "GET", "/subjects")
    api.gives({"mode": "READWRITE"}, "GET", "/mode")
    # Carried out, and the answer lost.
    api.gives({"status": 500, "count": 1}, "POST", "/test/fail?applied=true")
    api.refuses(500, "PUT", "/config/fault", {"compatibility": "FULL"})
    api.gives({"compatibilityLevel": "FULL"}, "GET", "/config/fault")
    api.refuses(400, "POST", "/test/fail?status=200")


def survived(api):
    api.gives([1, 2, 3], "GET", "/subjects/a-value/versions?deleted=true")
    api.gives({"compatibilityLevel": "FULL_TRANSITIVE"}, "GET", "/config/a-value")
    api.gives({"mode": "READONLY"}, "GET", "/mode/b%2Fc")


def main():
    with tempfile.TemporaryDirectory() as data, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        folder = subprocess.run([SERVICES, "folder"], check=True, capture_output=True, text=True).stdout.strip()
        own = {"ONRAMP_SERVICES": folder, "ONRAMP_SERVICES_DATA": data, "ONRAMP_PORT_REGISTRY": str(port), "ONRAMP_REGISTRY_USER": USER}

        def services(command):
            subprocess.run([SERVICES, command, "registry"], check=True, env=os.environ | own)

        services("start")
        try:
            api = Api(port)
            api.user = None
            api.refuses(401, "GET", "/subjects")
            api.user = USER
            for part in (subjects_and_look_up, compatibility, deletion, modes, faults):
                part(api)
            services("kill")
            services("start")
            survived(api)
        finally:
            services("stop")
    print("the registry answers as documented")


if __name__ == "__main__":
    main()
