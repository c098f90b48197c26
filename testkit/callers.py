"""Callers of services: one that reaches everything, and two of different owners."""

from __future__ import annotations

from scheduler_service.domain.caller import Caller, Scope

ADMIN = Caller(None, frozenset(Scope))
ANN = Caller("ann", frozenset({Scope.READ, Scope.WRITE, Scope.RUN}))
BOB = Caller("bob", frozenset({Scope.READ, Scope.WRITE, Scope.RUN}))
