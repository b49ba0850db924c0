// How an engine fails, where the page can do something about it.

// Something that the engine has let go of; `id` says what.
export class Gone extends Error {}

// Nobody answers.
export class Silent extends Error {}
