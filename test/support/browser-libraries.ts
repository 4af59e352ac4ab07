// If the host lacks NSS, @sparticuz/chromium unpacks its own copy, but only if it detects Lambda when it is loaded.
process.env['AWS_LAMBDA_JS_RUNTIME'] ??= 'nodejs22.x';
