import { withMethods } from '../input/option-rules.js'

/** By its shape: a program may load this module and that of `createMessaging` in two forms. */
export const isMessaging = withMethods('what createMessaging returned', ['consumer', 'producer', 'close'])
