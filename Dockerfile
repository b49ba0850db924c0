# Colorizer for programs: docker build -t colorizer . (docs/page.md, "In a container")
FROM python:3.13-slim

COPY . /src
RUN pip install --no-cache-dir /src && rm -r /src \
    && useradd --create-home colorizer
USER colorizer
WORKDIR /home/colorizer

EXPOSE 8080
# The token comes with `docker run -e COLORIZER_TOKEN=...`; without one, a random one is printed.
# 403 is health, too: whoever looks after containers need not know the token.
HEALTHCHECK --start-period=30s CMD ["python", "-c", "import http.client as h; c = h.HTTPConnection('127.0.0.1', 8080, timeout=9); c.request('GET', '/api/about'); exit(c.getresponse().status >= 500)"]
ENTRYPOINT ["colorizer"]
CMD ["serve", "--api-only", "--host", "0.0.0.0", "--port", "8080"]
