"""Service accounts, roles and who may become them from outside."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.cloud.gcp.answers import Answers, Json, Routes, policy_json

__all__ = ["Identity"]


class Identity(Answers):
    """IAM."""

    def routes(self) -> Routes:
        """By service."""
        return {
            "iam": {
                "/v1/projects/{}/serviceAccounts/{}": self.service_account,
                "/v1/projects/{}/serviceAccounts/{}/keys": self.service_account_keys,
                "/v1/projects/{}/serviceAccounts/{}:getIamPolicy": self.service_account_policy,
                "/v1/(projects|organizations)/{}/roles/{}": self.role,
                "/v1/projects/{}/locations/global/workloadIdentityPools": self.pools,
                "/v1/projects/{}/locations/global/workloadIdentityPools/{}/providers": self.providers,
            },
        }

    def service_account(self, project: str, email: str, query: Any) -> Json:
        entry = self.one("service_accounts", email)
        owner = self.owner(entry)
        return {
            "name": f"projects/{owner.name}/serviceAccounts/{email}", "projectId": owner.name,
            "uniqueId": f"1{abs(hash(email)) % 10**20:020}", "email": email, **(entry.get("set") or {}),
        }  # fmt: skip

    def service_account_keys(self, project: str, email: str, query: Any) -> Json:
        keys = self.one("service_accounts", email).get("keys")
        return {"keys": keys} if keys else {}

    def service_account_policy(self, project: str, email: str, query: Any) -> Json:
        return policy_json(self.one("service_accounts", email).get("policy"))

    def role(self, kind: str, parent: str, name: str, query: Any) -> Json:
        entry = self.one("roles", name)
        return {"name": f"{kind}/{parent}/roles/{name}", **(entry.get("set") or {})}

    def pools(self, project: str, query: Mapping[str, list[str]]) -> Json:
        base = f"projects/{project}/locations/global/workloadIdentityPools"
        names = sorted({str(entry.get("pool")) for entry in self.of("pool_providers", project)})
        found = [{"name": f"{base}/{name}", "state": "ACTIVE"} for name in names]
        return self.page("workloadIdentityPools", found, query)

    def providers(self, project: str, pool: str, query: Mapping[str, list[str]]) -> Json:
        base = f"projects/{project}/locations/global/workloadIdentityPools/{pool}/providers"
        found = [
            {"name": f"{base}/{entry.name.rpartition('/')[2]}", **(entry.get("set") or {})}
            for entry in self.of("pool_providers", project)
            if entry.get("pool") == pool
        ]
        return self.page("workloadIdentityPoolProviders", found, query)
