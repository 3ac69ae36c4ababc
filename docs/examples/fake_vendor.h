// FakeVendor: what the examples call unless they are given a URL: a vendor in this process, on a
// real socket, that answers as it was told and complains about everything else.
//
//   auto vendor = FakeVendor::Start(runtime, {.name = "acme", .routes = {...}});
//   client.BaseUrl(vendor->url());
//   ... vendor->Complaints();   // "" if nothing unplanned came
//
// Tests of your own can use one too: link understudy::harness.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "harness/server/http_server.h"
#include "harness/vendor/vendor_model.h"
#include "middleware/runtime/runtime.h"

class FakeVendor {
 public:
  // The parts of `runtime` must outlive it.
  static understudy::Result<FakeVendor> Start(const understudy::Runtime& runtime,
                                              understudy::harness::VendorSpec spec) {
    using understudy::harness::HttpServer;
    using understudy::harness::VendorModel;
    FakeVendor vendor;
    UNDERSTUDY_ASSIGN_OR_RETURN(
        vendor.model_,
        VendorModel::Create(std::move(spec), {runtime.clock, runtime.random, runtime.events}));
    UNDERSTUDY_ASSIGN_OR_RETURN(vendor.server_,
                                HttpServer::Start(runtime.clock, *vendor.model_, {}));
    return vendor;
  }

  std::string url() const { return server_->url(); }
  understudy::harness::VendorModel& model() { return *model_; }

  std::string Complaints() const {
    std::string text;
    for (const auto& complaint : model_->complaints()) text += complaint.text + "\n";
    return text;
  }

 private:
  FakeVendor() = default;

  std::unique_ptr<understudy::harness::VendorModel> model_;
  std::unique_ptr<understudy::harness::HttpServer> server_;  // Ends before what it asks.
};
