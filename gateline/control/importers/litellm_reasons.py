"""Why fields of a LiteLLM configuration do not come along, or what there is in their place. Empty: they came along."""

from __future__ import annotations

from typing import Final

UNKNOWN: Final = "nothing here corresponds to it"
_OBSERVED: Final = "calls are seen in the ledger (`gateline usage`), the access log and the metrics page"
_NO_CACHE: Final = "answers are not cached"
_NO_REDIS: Final = "workers share limits in memory: there is no Redis"
_BY_REASON: Final = "fallbacks hold for every failure that another target may do better at"
_RESTS: Final = "a target that fails is left alone for as long as its vendor asks, a refused key for five minutes"
_KEYS: Final = "keys are made with `gateline keys create`"
_LEDGER: Final = "keys and ledger are in the data directory"

REASONS: Final[dict[str, dict[str, str]]] = {
    "model_list": {
        "model_info": "describes the model, whose abilities `gateline models` knows: only its costs were carried",
        "rpm": "limits belong to keys here (`gateline keys create`)",
        "tpm": "limits belong to keys here (`gateline keys create`)",
    },
    "litellm_settings": {
        "num_retries": "",
        "request_timeout": "",
        "fallbacks": "",
        "default_fallbacks": "",
        "drop_params": "a field that a vendor cannot take is dropped and told in `x-gateline-dropped`; a client that "
        "wants 400 instead sends `x-gateline-strict: true`",
        "context_window_fallbacks": _BY_REASON,
        "content_policy_fallbacks": _BY_REASON,
        "cache": _NO_CACHE,
        "cache_params": _NO_CACHE,
        "callbacks": _OBSERVED,
        "success_callback": _OBSERVED,
        "failure_callback": _OBSERVED,
        "service_callbacks": _OBSERVED,
        "set_verbose": "see `logging.level`",
        "json_logs": "logs are JSON",
        "allowed_fails": _RESTS,
        "cooldown_time": _RESTS,
    },
    "router_settings": {
        "num_retries": "",
        "timeout": "",
        "fallbacks": "",
        "default_fallbacks": "",
        "model_group_alias": "",
        "routing_strategy": "targets are chosen by weight, as simple-shuffle does",
        "routing_strategy_args": "targets are chosen by weight, as simple-shuffle does",
        "context_window_fallbacks": _BY_REASON,
        "content_policy_fallbacks": _BY_REASON,
        "allowed_fails": _RESTS,
        "cooldown_time": _RESTS,
        "redis_host": _NO_REDIS,
        "redis_port": _NO_REDIS,
        "redis_password": _NO_REDIS,
        "redis_url": _NO_REDIS,
        "enable_pre_call_checks": "calls go to the vendor, who checks them",
        "retry_policy": "retries are set once, in `retry`",
    },
    "general_settings": {
        "master_key": f"{_KEYS}, by whoever may read the data directory: there is no key above the others",
        "database_url": _LEDGER,
        "database_connection_pool_limit": _LEDGER,
        "store_model_in_db": "models are in the configuration file alone",
        "alerting": _OBSERVED,
        "max_parallel_requests": "calls at once are limited by key (`gateline keys create --concurrency`)",
        "custom_auth": _KEYS,
        "pass_through_endpoints": "see `/passthrough`",
    },
    "environment_variables": {"": "set it in the gateway's environment: a configuration does not"},
    "file": {"include": "is not followed: import each file by itself"},
}
