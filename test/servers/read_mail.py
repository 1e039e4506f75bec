#!/usr/bin/python3
"""A message from standard input, as Python's own parser reads it: JSON, with every defect that it finds."""

import email
import email.policy
import json
import sys

message = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
defects = []
parts = []
for part in message.walk():
    defects += [repr(defect) for defect in part.defects]
    defects += [repr(defect) for _, value in part.items() for defect in value.defects]
    if part.is_multipart():
        continue
    content = part.get_content()
    parts.append(
        {
            "type": part.get_content_type(),
            "filename": part.get_filename(),
            "text": content if isinstance(content, str) else None,
            "hex": content.hex() if isinstance(content, bytes) else None,
        }
    )
print(json.dumps({"defects": defects, "parts": parts, "subject": str(message["Subject"])}))
