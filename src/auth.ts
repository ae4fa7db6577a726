export { oauth, type OauthOptions, type OauthSasl } from './auth/oauth.js'
