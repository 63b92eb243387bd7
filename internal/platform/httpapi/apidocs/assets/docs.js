// Starts the reference page and keeps one sign-in for all of its calls. The
// token lives as long as the tab.
(() => {
  'use strict';
  const $ = (id) => document.getElementById(id);
  const settings = JSON.parse($('reference').dataset.settings);
  const memory = 'emporium.sign-in';

  const configuration = (token) => ({
    url: settings.document,
    layout: 'modern',
    theme: 'default',
    withDefaultFonts: false,
    telemetry: false,
    agent: { disabled: true },
    mcp: { disabled: true },
    showDeveloperTools: 'never',
    hideClientButton: true,
    persistAuth: false,
    defaultHttpClient: { targetKey: 'shell', clientKey: 'curl' },
    authentication: {
      preferredSecurityScheme: settings.scheme,
      securitySchemes: { [settings.scheme]: { token } },
    },
    // A call whose token is optional carries it too, and nobody's token is left
    // out rather than sent empty, which would be a wrong one.
    fetch: (input, init) => {
      const request = new Request(input, init);
      const now = current();
      if (/^Bearer\s*$/i.test(request.headers.get('Authorization') ?? '')) request.headers.delete('Authorization');
      if (now && new URL(request.url).origin === location.origin && !request.headers.has('Authorization')) {
        request.headers.set('Authorization', 'Bearer ' + now.token);
      }
      return window.fetch(request);
    },
  });

  // current is {mail, token}, or null when nobody is signed in or the token has
  // run out.
  function current() {
    try {
      const kept = JSON.parse(sessionStorage.getItem(memory));
      const part = kept.token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/');
      return JSON.parse(atob(part)).exp * 1000 > Date.now() ? kept : null;
    } catch {
      return null;
    }
  }

  const reference = Scalar.createApiReference('#reference', configuration(current()?.token ?? ''));

  function show() {
    const now = current();
    $('who').textContent = now ? now.mail : 'Sign in';
    $('who').classList.toggle('in', Boolean(now));
    $('sign-in').hidden = Boolean(now);
    $('signed-in').hidden = !now;
    $('mail-shown').textContent = now ? now.mail : '';
  }

  function change(kept) {
    if (kept) sessionStorage.setItem(memory, JSON.stringify(kept));
    else sessionStorage.removeItem(memory);
    reference.updateConfiguration(configuration(kept?.token ?? ''));
    show();
  }

  $('sign-in').addEventListener('submit', async (event) => {
    event.preventDefault();
    const button = event.target.querySelector('button');
    const mail = $('mail').value.trim();
    $('message').textContent = '';
    button.disabled = true;
    try {
      const response = await fetch(settings.signIn, {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ mail, password: $('password').value }),
      });
      const answer = await response.json().catch(() => ({}));
      if (response.ok && answer.access_token) {
        $('password').value = '';
        change({ mail, token: answer.access_token });
        $('account').open = false;
      } else {
        $('message').textContent = answer.detail || answer.message || `The server answered ${response.status}.`;
      }
    } catch {
      $('message').textContent = 'The server did not answer.';
    } finally {
      button.disabled = false;
    }
  });

  $('sign-out').addEventListener('click', () => {
    change(null);
    $('account').open = false;
  });

  // The panel closes like a menu: with Escape, or by a click beside it.
  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && $('account').open) {
      $('account').open = false;
      $('who').focus();
    }
  });
  document.addEventListener('click', (event) => {
    if (!$('account').contains(event.target)) $('account').open = false;
  });
  $('account').addEventListener('toggle', () => {
    if ($('account').open && !current()) $('mail').focus();
  });

  show();
})();
