/** Files of kafkajs below its typed interface; `internals.ts` checks at run time that they are what we take them for. */
declare module 'kafkajs/src/network/socketFactory.js' {
  const createSocketFactory: unknown
  export = createSocketFactory
}
declare module 'kafkajs/src/broker/saslAuthenticator/index.js' {
  const SaslAuthenticator: unknown
  export = SaslAuthenticator
}
declare module 'kafkajs/src/loggers/index.js' {
  const loggers: unknown
  export = loggers
}
