// The second verifier of evidence files, for Node and for browsers: WebCrypto, and nothing else.

export { verify, type Verified } from './evidence.js';
export { toJson } from './json.js';
export { parsePolicy, type Policy, PolicyError } from './policy.js';
export { type Flaw, Rejected, type Step } from './rejected.js';
export { Remembered, RememberedError } from './remembered.js';
export { type Report, reportOf } from './report.js';
