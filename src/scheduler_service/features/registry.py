"""The list of features. Every feature in it is part of every process; no other registration is needed."""

from __future__ import annotations

from scheduler_service.features.alerts.feature import AlertsFeature
from scheduler_service.features.apply.feature import ApplyFeature
from scheduler_service.features.artifacts.feature import ArtifactsFeature
from scheduler_service.features.audit.feature import AuditFeature
from scheduler_service.features.calendars.feature import CalendarsFeature
from scheduler_service.features.chains.feature import ChainsFeature
from scheduler_service.features.environments.feature import EnvironmentsFeature
from scheduler_service.features.feature import Feature
from scheduler_service.features.grants.feature import GrantsFeature
from scheduler_service.features.keys.feature import KeysFeature
from scheduler_service.features.ledger.feature import LedgerFeature
from scheduler_service.features.quotas.feature import QuotasFeature
from scheduler_service.features.secrets.feature import SecretsFeature
from scheduler_service.features.workers.feature import WorkersFeature

FEATURES: tuple[Feature, ...] = (
    AlertsFeature(),
    ApplyFeature(),
    ArtifactsFeature(),
    AuditFeature(),
    CalendarsFeature(),
    ChainsFeature(),
    EnvironmentsFeature(),
    GrantsFeature(),
    KeysFeature(),
    LedgerFeature(),
    QuotasFeature(),
    SecretsFeature(),
    WorkersFeature(),
)
