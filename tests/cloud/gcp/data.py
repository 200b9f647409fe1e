"""Data, images and keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cloud.estate import Entry
from tests.cloud.gcp.answers import Answers, Failure, Json, Routes, policy_json

__all__ = ["Data"]


class Data(Answers):
    """Buckets, data sets, Artifact Registry with its analysis, KMS."""

    def routes(self) -> Routes:
        """By service."""
        where = "/v1/projects/{}/locations/{}"
        return {
            "storage": {
                "/storage/v1/b": self.buckets,
                "/storage/v1/b/{}": self.bucket,
                "/storage/v1/b/{}/iam": self.bucket_policy,
            },
            "bigquery": {"/bigquery/v2/projects/{}/datasets/{}": self.dataset},
            "artifactregistry": {
                f"{where}/repositories/{{}}": self.repository,
                f"{where}/repositories/{{}}:getIamPolicy": self.repository_policy,
                f"{where}/repositories/{{}}/packages/{{}}/tags/{{}}": self.tag,
            },
            "containeranalysis": {"/v1/projects/{}/occurrences": self.occurrences},
            "cloudkms": {
                f"{where}/keyRings/{{}}/cryptoKeys/{{}}": self.key,
                f"{where}/keyRings/{{}}/cryptoKeys/{{}}:getIamPolicy": self.key_policy,
                f"{where}/keyRings/{{}}:getIamPolicy": self.ring_policy,
            },
        }

    def buckets(self, query: Mapping[str, list[str]]) -> Json:
        project = self.project_named(query["project"][0])
        found = [
            self._bucket_json(bucket)
            for bucket in self.estate["buckets"]
            if self.owner(bucket) == project and not bucket.get("owner")
        ]
        return self.page("items", found, query, size="maxResults")

    def bucket(self, name: str, query: Any) -> Json:
        entry = self.one("buckets", name, legacy=True)
        if entry.get("hidden"):
            raise Failure(403, "forbidden", "no access", legacy=True)
        return self._bucket_json(entry)

    def bucket_policy(self, name: str, query: Any) -> Json:
        entry = self.one("buckets", name, legacy=True)
        return {"kind": "storage#policy", **policy_json(entry.get("policy"))}

    def dataset(self, project: str, name: str, query: Any) -> Json:
        return {"id": f"{project}:{name}", **(self.one("datasets", name).get("set") or {})}

    def repository(self, project: str, location: str, name: str, query: Any) -> Json:
        entry = self.one("repositories", name)
        full = f"projects/{project}/locations/{location}/repositories/{name}"
        return {"name": full, "format": "DOCKER", **(entry.get("set") or {})}

    def repository_policy(self, project: str, location: str, name: str, query: Any) -> Json:
        return policy_json(self.one("repositories", name).get("policy"))

    def tag(
        self, project: str, location: str, repository: str, package: str, tag: str, query: Any
    ) -> Json:
        digest = (self.one("images", package).get("tags") or {}).get(tag)
        if digest is None:
            raise Failure(404, "NOT_FOUND", f"no tag {tag}")
        base = (
            f"projects/{project}/locations/{location}/repositories/{repository}/packages/{package}"
        )
        return {"name": f"{base}/tags/{tag}", "version": f"{base}/versions/{digest}"}

    def occurrences(self, project: str, query: Mapping[str, list[str]]) -> Json:
        wanted = query["filter"][0].removeprefix('resourceUrl="').removesuffix('"')
        found = [
            {"resourceUri": wanted, **occurrence}
            for entry in self.estate["images"]
            for digest, occurrences in (entry.get("occurrences") or {}).items()
            if wanted.endswith(f"/{entry.name}@{digest}")
            for occurrence in occurrences
        ]
        return self.page("occurrences", found, query)

    def key(self, project: str, location: str, ring: str, name: str, query: Any) -> Json:
        full = f"projects/{project}/locations/{location}/keyRings/{ring}/cryptoKeys/{name}"
        return {
            "name": full,
            "purpose": "ENCRYPT_DECRYPT",
            **(self.one("keys", name).get("set") or {}),
        }

    def key_policy(self, project: str, location: str, ring: str, name: str, query: Any) -> Json:
        return policy_json(self.one("keys", name).get("policy"))

    def ring_policy(self, project: str, location: str, ring: str, query: Any) -> Json:
        return policy_json([])

    def _bucket_json(self, entry: Entry) -> Json:
        number = entry.get("owner") or self.owner(entry).get("number")
        clean = {"name": entry.name, "projectNumber": str(number), "location": "EUROPE-WEST4"}
        return {**clean, **(entry.get("set") or {})}
