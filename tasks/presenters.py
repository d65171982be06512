"""Evidence as a page shows it."""

from typing import Any

from django.urls import reverse

from tasks.models import Evidence

# What a browser may show by itself, when asked. Everything else is only ever handed over as a file.
SHOWN_INLINE = frozenset({"application/pdf", "image/png", "image/jpeg", "image/gif", "image/webp"})


def file_of(evidence: Evidence, *, removable: bool = False, problem: str = "") -> dict[str, Any]:
    """What components/file_list.html shows."""
    url = reverse("tasks:evidence", args=[evidence.pk])
    kind = evidence.blob.content_type
    return {
        "id": evidence.pk,
        "name": evidence.name,
        "size": evidence.blob.size,
        "at": evidence.added_at,
        "note": evidence.note,
        "url": url,
        "preview_url": f"{url}?view=1" if kind in SHOWN_INLINE else None,
        "is_image": kind.startswith("image/"),
        "is_pdf": kind == "application/pdf",
        "delete_url": reverse("tasks:evidence_remove", args=[evidence.pk]) if removable else None,
        "problem": problem,
    }
