// Exists so that the shared precompiled header has an owner; GoogleMock brings main().
