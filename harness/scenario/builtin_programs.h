// The programs that every scenario may name: small applications built on the production middleware.
#pragma once

#include "harness/scenario/program.h"

namespace understudy::harness {

//   orders_client     calls the one vendor that has `oauth`, with OAuth and a total deadline.
//                     Operations: list_orders (GET /v1/orders). Config: refresh_skew, timeout
//                     (durations).
//   webhook_receiver  verifies, stores, de-duplicates and applies webhooks; a durable ledger is its
//   effect.
//                     Config: mode ("inline" acknowledges after the effect, "queued" before),
//                     lease, attempts, dedupe_ttl (how long keys must be remembered; the stores
//                     never forget earlier), store ("mem-durable", "sqlite"; the runner opens it),
//                     secret (instead of the webhook's own, for scenarios in which the two sides
//                     differ).
//
// webhook_receiver applies an event with data {"order": o, "seq": n, ...} to order o strictly in
// sequence: an event that is early is given back ("not ready") until its predecessor has been
// applied. The effect's key is
// "<order>:<state>", its state the last part of the event's type, its kind "ledger.credit" for the
// state "paid" and "order.<state>" otherwise. An event without an order has the effect {kind: type,
// key: event id}.
ProgramRegistry BuiltinPrograms();

}  // namespace understudy::harness
