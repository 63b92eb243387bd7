// Emporium under PM2, a service for each app. Copy this file and a .env with the
// host's settings into one folder, and start there what the host is for:
//
//     pm2 start ecosystem.config.cjs --only billing-app
//
// The program reads .env itself, so no password is kept by PM2.
const app = (name, ...services) => ({
  name,
  script: 'emporium', // on the PATH
  args: ['serve', ...services],
  interpreter: 'none',
  cwd: __dirname,
  kill_timeout: 30000, // ms; more than --drain and --stop together
  exp_backoff_restart_delay: 100, // ms; doubled up to 15 s, for as long as it takes
});

module.exports = {
  apps: [
    app('api-gateway', 'gateway'),
    app('inventory-app', 'inventory'),
    app('billing-app', 'billing'),
    app('accounts-app', 'accounts'),
    app('coupons-app', 'coupons'),
    app('auctions-app', 'auctions'),
    app('property-app', 'property'),
    app('purchases-app', 'purchases'),
    app('popular-app', 'popular'),
  ],
};
