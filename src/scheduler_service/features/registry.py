"""The list of features. A feature that stands here is part of every process; nothing else has to be told of it."""

from __future__ import annotations

from scheduler_service.features.alerts.feature import AlertsFeature
from scheduler_service.features.feature import Feature

FEATURES: tuple[Feature, ...] = (AlertsFeature(),)
