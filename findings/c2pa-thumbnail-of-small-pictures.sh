#!/usr/bin/env bash
# By default, c2pa-python puts a thumbnail into every signed picture that is 1024 px wide, also where the picture is
# smaller: a PNG of 64x64 px and 12 kB becomes more than 20 times as large. Expected: a thumbnail is at most as large
# as its picture, or is left out. c2pa-rs says of the setting builder.thumbnail.long_edge that pictures are resized to
# match it; that includes enlarging.
#
# Input: 64x64 px of noise as PNG, signed with a certificate of the script's own, once with the defaults and once with
# builder.thumbnail.enabled = false, which is the way out.
# Seen (c2pa-python 0.38.1, c2pa-rs 0.91.3, Linux x86-64): a thumbnail of 1024x1024 px.
#
# Exits with 1 as soon as this changes. Needs python3 with venv, and a package index.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT; cd "$folder"
python3 -m venv env
env/bin/pip install -q --disable-pip-version-check c2pa-python==0.38.1 cryptography pillow numpy
cat > sign.py <<'P'
import datetime
import io
import json
import os

import c2pa
import numpy as np
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

root, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "T"), x509.NameAttribute(NameOID.COMMON_NAME, text)])


now = datetime.datetime.now()
leaf = (
    x509.CertificateBuilder().subject_name(name("leaf")).issuer_name(name("root")).public_key(key.public_key())
    .serial_number(2).not_valid_before(now - datetime.timedelta(1)).not_valid_after(now + datetime.timedelta(30))
    .add_extension(x509.BasicConstraints(False, None), True)
    .add_extension(x509.KeyUsage(True, *[False] * 8), True)
    .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
    .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root.public_key()), False)
    .sign(root, hashes.SHA256())
)
chain = leaf.public_bytes(serialization.Encoding.PEM)
private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
Image.fromarray(noise).save("plain.png")
action = {
    "action": "c2pa.created",
    "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia",
}
manifest = json.dumps({
    "claim_generator_info": [{"name": "test", "version": "1"}],
    "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": [action]}}],
})
sizes = {}
for title, settings in {"defaults": {}, "without": {"builder": {"thumbnail": {"enabled": False}}}}.items():
    context = c2pa.Context(c2pa.Settings.from_dict(settings))
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", chain, private, None))
    with c2pa.Builder(manifest, context) as builder:
        builder.sign_file("plain.png", f"{title}.png", signer)
    with c2pa.Reader(f"{title}.png") as reader:
        thumbnail = reader.get_active_manifest().get("thumbnail")
        sizes[title] = None
        if thumbnail:
            content = io.BytesIO()
            reader.resource_to_stream(thumbnail["identifier"], content)
            sizes[title] = Image.open(io.BytesIO(content.getvalue())).size
    print(f"{title}: {os.path.getsize('plain.png'):,} bytes become {os.path.getsize(f'{title}.png'):,}, thumbnail {sizes[title]}")
held = sizes == {"defaults": (1024, 1024), "without": None}
if not held:
    raise SystemExit("not as stated")
print("as stated")
P
env/bin/python sign.py
